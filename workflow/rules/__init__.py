"""What the rows of the process table test and change: guards, changes of the case file, and timers."""
