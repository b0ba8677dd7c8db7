/* A recursive function, with locals, a structure and an array, for stepping and evaluation. */
struct point {
	int x, y;
};

static struct point corner = { 3, -4 };
static unsigned char bytes[4] = { 1, 2, 3, 4 };
volatile unsigned int result;

static unsigned int factorial(unsigned int n)
{
	unsigned int smaller;

	if (n < 2)
		return 1;
	smaller = factorial(n - 1);
	return n * smaller;
}

void _start(void)
{
	struct point *p = &corner;

	result = factorial(4);
	result += p->x + bytes[2];
	asm volatile("cli; hlt");
}
