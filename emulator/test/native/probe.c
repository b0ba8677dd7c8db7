/*
 * Runs instruction bytes on the real processor. Reads cases from standard input until its end, writes a result for each.
 * The layout of `struct test_case` is known to nativeProbe.ts.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define CODE 0x600000UL
#define STATE 0x700000UL
#define DATA 0x800000UL
#define DATA_SIZE 0x2000UL
#define WINDOW (DATA + 0xfc0UL)
#define WINDOW_SIZE 128

struct test_case {
	uint64_t registers[16];
	uint64_t flags;
	uint8_t window[WINDOW_SIZE];
	/* 0, or the signal that the instruction raised. */
	uint32_t signal;
	uint32_t code_length;
	uint8_t code[48];
};

/* What the assembly below works on; it lies at STATE so that no register is needed to reach it. */
struct machine {
	uint64_t registers[16];
	uint64_t flags;
	uint64_t host_rsp;
};

void run_code(void);
void leave_code(void);

/* Loads all registers, jumps to CODE; CODE comes back to leave_code. Absolute addresses: STATE + 8 * number. */
__asm__(
	".text\n"
	".globl run_code\n"
	"run_code:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, 0x700088\n"
	"	pushq 0x700080\n"
	"	popfq\n"
	"	mov 0x700000, %rax; mov 0x700008, %rcx; mov 0x700010, %rdx; mov 0x700018, %rbx\n"
	"	mov 0x700020, %rsp; mov 0x700028, %rbp; mov 0x700030, %rsi; mov 0x700038, %rdi\n"
	"	mov 0x700040, %r8; mov 0x700048, %r9; mov 0x700050, %r10; mov 0x700058, %r11\n"
	"	mov 0x700060, %r12; mov 0x700068, %r13; mov 0x700070, %r14; mov 0x700078, %r15\n"
	"	jmp *code_address(%rip)\n"
	".globl leave_code\n"
	"leave_code:\n"
	"	mov %rax, 0x700000; mov %rcx, 0x700008; mov %rdx, 0x700010; mov %rbx, 0x700018\n"
	"	mov %rsp, 0x700020; mov %rbp, 0x700028; mov %rsi, 0x700030; mov %rdi, 0x700038\n"
	"	mov %r8, 0x700040; mov %r9, 0x700048; mov %r10, 0x700050; mov %r11, 0x700058\n"
	"	mov %r12, 0x700060; mov %r13, 0x700068; mov %r14, 0x700070; mov %r15, 0x700078\n"
	"	mov 0x700088, %rsp\n"
	"	pushfq\n"
	"	popq 0x700080\n"
	"	cld\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	"code_address: .quad 0x600000\n");

static volatile int raised;

static void on_signal(int number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)info;
	raised = number;
	user->uc_mcontext.gregs[REG_RIP] = (long)leave_code;
}

static void *map(unsigned long address, unsigned long size, int protection)
{
	void *mapped = mmap((void *)address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (mapped == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return mapped;
}

int main(void)
{
	static struct test_case test;
	/* jmp *0(%rip); .quad leave_code */
	uint8_t back[14] = { 0xff, 0x25, 0, 0, 0, 0 };
	uint64_t target = (uint64_t)leave_code;
	uint8_t *code = map(CODE, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC);
	struct machine *machine = map(STATE, 0x1000, PROT_READ | PROT_WRITE);
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	const int signals[] = { SIGFPE, SIGSEGV, SIGILL, SIGTRAP, SIGBUS };

	map(DATA, DATA_SIZE, PROT_READ | PROT_WRITE);
	memcpy(back + 6, &target, sizeof(target));
	sigaltstack(&stack, NULL);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);

	while (fread(&test, sizeof(test), 1, stdin) == 1) {
		memcpy(code, test.code, test.code_length);
		memcpy(code + test.code_length, back, sizeof(back));
		memcpy((void *)WINDOW, test.window, WINDOW_SIZE);
		memcpy(machine->registers, test.registers, sizeof(test.registers));
		machine->flags = test.flags;
		raised = 0;
		run_code();
		memcpy(test.registers, machine->registers, sizeof(test.registers));
		test.flags = machine->flags;
		memcpy(test.window, (void *)WINDOW, WINDOW_SIZE);
		test.signal = raised;
		if (fwrite(&test, sizeof(test), 1, stdout) != 1)
			return 1;
	}
	return fflush(stdout) != 0;
}
