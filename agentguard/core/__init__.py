"""The pure middle: values in, values out; no clock, file, socket, log, random number or database."""
