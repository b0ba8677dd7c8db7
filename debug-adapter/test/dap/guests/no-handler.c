/* Forgets to register its handler. */
#include <hyperstep/hypercall.h>

unsigned long answer(void)
{
	return 42;
}
