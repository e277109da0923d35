module exectrace.invalid/peers

go 1.25
