// Taking notes: Enter writes the line and the field is ready for the next one.
const form = document.querySelector("[data-minutes]");
if (form) {
  const text = form.elements.text;
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt === form && event.detail.successful) {
      text.value = "";
      if (form.elements.title.value) {
        window.location.search = "";
      }
      text.focus();
    }
  });
  text.focus();
}
