import time

while True:
    print("I never listen on $PORT", flush=True)
    time.sleep(1)
