"""When every instruction starts and where every value lies: a draft becomes a program."""
