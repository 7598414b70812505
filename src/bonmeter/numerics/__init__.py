"""What every part rests on: checks of arguments, elementary functions, sums over many outcomes."""
