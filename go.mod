module semblance

go 1.26
