module portal.test/harbor-api

go 1.26.0

require github.com/goharbor/go-client v0.213.1 // indirect
