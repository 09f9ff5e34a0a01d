"""What judges and uses a program: cost, simulation, execution. Nothing of the compiler."""
