void _start(void)
{
	undeclared = 1;
}
