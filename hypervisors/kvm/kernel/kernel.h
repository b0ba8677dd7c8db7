/* SPDX-License-Identifier: MIT */
/* The small operating system below KVM: what its parts offer each other and to KVM. */
#ifndef KERNEL_H
#define KERNEL_H

#include <hyperstep/kvm_host.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1UL << (n))
#define ALIGN_UP(x, a) (((x) + (a) - 1) & ~((a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((a) - 1))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define __noreturn __attribute__((noreturn))
#define __aligned(n) __attribute__((aligned(n)))
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

/* The direct map of all physical memory, and the map of the kernel's image. */
#define PAGE_OFFSET 0xffff888000000000UL
#define START_KERNEL_MAP 0xffffffff80000000UL

static inline hpa_t __pa(const void *virtual)
{
	unsigned long address = (unsigned long)virtual;

	return address >= START_KERNEL_MAP ? address - START_KERNEL_MAP : address - PAGE_OFFSET;
}

static inline void *__va(hpa_t physical)
{
	return (void *)(physical + PAGE_OFFSET);
}

/* printk.c */
void console_init(void);
void machine_failed(void) __noreturn;
void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2))) __noreturn;
int snprintf(char *buffer, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* page_alloc.c */
void memblock_add(hpa_t base, u64 size);
void memblock_reserve(hpa_t base, u64 size);
hpa_t memblock_alloc(u64 size, u64 align);
void *alloc_pages_exact(size_t size);
void *get_zeroed_page(void);

/* time.c */
void time_init(void);

/* setup.c */
void cpu_init(void);

/* apic.c */
#define LOCAL_TIMER_VECTOR 0xec
#define SPURIOUS_APIC_VECTOR 0xff
void apic_init(void);
void apic_eoi(void);
void apic_timer_oneshot(u64 delay_ns);
void apic_timer_stop(void);
extern u64 apic_timer_hz;

/* traps.c */
struct pt_regs {
	unsigned long r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	unsigned long vector, error_code;
	unsigned long rip, cs, rflags, rsp, ss;
};
void idt_init(void);
void do_interrupt(struct pt_regs *regs);
void handle_irq_vector(u8 vector);

#endif
