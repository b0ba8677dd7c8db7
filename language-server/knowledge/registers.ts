/** What the registers are for. */

export interface RegisterDescription {
  readonly title: string;
  readonly text: string;
}

interface Family {
  readonly parts: string;
  readonly text: string;
}

const KVM_NUMBER = 'Hypercalls: number on the way in, result on the way out (KVM).';

/** General registers, by their 64-bit name. */
const general: Readonly<Record<string, Family>> = {
  rax: { parts: 'rax eax ax al ah', text: `Accumulator. System V: return value. ${KVM_NUMBER}` },
  rbx: {
    parts: 'rbx ebx bx bl bh',
    text: 'Preserved by called functions (System V). Hypercalls: first operand (KVM).',
  },
  rcx: {
    parts: 'rcx ecx cx cl ch',
    text: 'Counter of strings, loops and shifts. System V: fourth argument. Hypercalls: second operand (KVM). SYSCALL puts RIP here.',
  },
  rdx: {
    parts: 'rdx edx dx dl dh',
    text: 'Upper half of products and dividends, ports. System V: third argument. Hypercalls: third operand (KVM).',
  },
  rsi: {
    parts: 'rsi esi si sil',
    text: 'Source of strings. System V: second argument. Hypercalls: fourth operand (KVM).',
  },
  rdi: { parts: 'rdi edi di dil', text: 'Destination of strings. System V: first argument.' },
  rsp: { parts: 'rsp esp sp spl', text: 'Stack pointer. It cannot be an index register.' },
  rbp: {
    parts: 'rbp ebp bp bpl',
    text: 'Frame pointer by custom. Preserved by called functions (System V). Addresses based on it use SS.',
  },
  r8: { parts: 'r8 r8d r8w r8b r8l', text: 'System V: fifth argument.' },
  r9: { parts: 'r9 r9d r9w r9b r9l', text: 'System V: sixth argument.' },
  r10: {
    parts: 'r10 r10d r10w r10b r10l',
    text: 'Not preserved (System V). Linux system calls: fourth argument.',
  },
  r11: { parts: 'r11 r11d r11w r11b r11l', text: 'Not preserved (System V). SYSCALL puts RFLAGS here.' },
  r12: { parts: 'r12 r12d r12w r12b r12l', text: 'Preserved by called functions (System V).' },
  r13: { parts: 'r13 r13d r13w r13b r13l', text: 'Preserved by called functions (System V).' },
  r14: { parts: 'r14 r14d r14w r14b r14l', text: 'Preserved by called functions (System V).' },
  r15: { parts: 'r15 r15d r15w r15b r15l', text: 'Preserved by called functions (System V).' },
};

const special: Readonly<Record<string, RegisterDescription>> = {
  rip: {
    title: 'Instruction pointer',
    text: '`symbol(%rip)` is position-independent: the displacement counts from the next instruction.',
  },
  eip: { title: 'Instruction pointer, 32 bits', text: 'The low half of RIP.' },
  cs: {
    title: 'Code segment',
    text: "Its low 2 bits are the CPL. Its descriptor's L and D bits choose 64-bit, 32-bit or 16-bit code.",
  },
  ss: {
    title: 'Stack segment',
    text: 'Loading it holds interrupts back for one instruction. Its DPL is the CPL.',
  },
  ds: { title: 'Data segment', text: 'The default segment of data; its base counts as 0 in 64-bit mode.' },
  es: {
    title: 'Extra segment',
    text: 'Destination segment of strings; its base counts as 0 in 64-bit mode.',
  },
  fs: { title: 'FS segment', text: 'Its base counts in 64-bit mode too (IA32_FS_BASE): thread-local data.' },
  gs: {
    title: 'GS segment',
    text: 'Its base counts in 64-bit mode too (IA32_GS_BASE): per-processor data of kernels; SWAPGS exchanges it.',
  },
  cr0: {
    title: 'Control register 0',
    text: 'PE (0), MP (1), EM (2), TS (3), ET (4), NE (5), WP (16), AM (18), NW (29), CD (30), PG (31). VMX: the CR0 guest/host mask decides who owns a bit.',
  },
  cr2: { title: 'Control register 2', text: 'Linear address of the last page fault.' },
  cr3: {
    title: 'Control register 3',
    text: 'Physical address of the top page table; PWT (3), PCD (4), or the PCID. VMX: CR3-load and CR3-store exiting.',
  },
  cr4: {
    title: 'Control register 4',
    text: 'VME (0), PVI (1), TSD (2), DE (3), PSE (4), PAE (5), MCE (6), PGE (7), PCE (8), OSFXSR (9), OSXMMEXCPT (10), UMIP (11), LA57 (12), VMXE (13), SMXE (14), FSGSBASE (16), PCIDE (17), OSXSAVE (18), SMEP (20), SMAP (21), PKE (22), CET (23).',
  },
  cr8: {
    title: 'Control register 8',
    text: "Task priority: bits 7:4 of the local APIC's TPR. 64-bit mode only.",
  },
  dr0: { title: 'Debug register 0', text: 'Linear address of breakpoint 0.' },
  dr1: { title: 'Debug register 1', text: 'Linear address of breakpoint 1.' },
  dr2: { title: 'Debug register 2', text: 'Linear address of breakpoint 2.' },
  dr3: { title: 'Debug register 3', text: 'Linear address of breakpoint 3.' },
  dr6: {
    title: 'Debug status register',
    text: 'Which condition raised #DB: B0-B3, BD (13), BS (14), BT (15).',
  },
  dr7: {
    title: 'Debug control register',
    text: 'Enables breakpoints (L0-G3), their kind and length; GD (13).',
  },
};

/** Width in bits of a part of a general register, by its name. */
function partBits(name: string): number {
  if (/^r([a-z]{2}|\d+)$/.test(name)) return 64;
  if (/^(e..|r\d+d)$/.test(name)) return 32;
  if (/^([abcd]x|[sd]i|[sb]p|r\d+w)$/.test(name)) return 16;
  return 8;
}

const familyOf = new Map<string, string>(
  Object.entries(general).flatMap(([whole, { parts }]) =>
    parts.split(' ').map((part) => [part, whole] as const),
  ),
);

/** The 64-bit register that a general register is a part of: `rax` for `al`; undefined for other registers. */
export const wholeRegister = (name: string): string | undefined => familyOf.get(name);

/** The width of a general register in bits; undefined for other registers. */
export const registerBits = (name: string): number | undefined =>
  familyOf.has(name) ? partBits(name) : undefined;

/** The general registers of a width, in the order of their numbers. */
export function generalRegisters(bits: number, has64: boolean): string[] {
  const order = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', ...Object.keys(general).slice(8)];
  return order.flatMap((whole) => {
    const parts = general[whole].parts.split(' ').filter((part) => partBits(part) === bits);
    const usable = has64
      ? parts
      : parts.filter((part) => !/^r\d/.test(part) && !/^(sil|dil|spl|bpl)$/.test(part));
    return usable.filter((part) => !/^r\d+l$/.test(part));
  });
}

/** What a register is, by its name in lower case without `%`; undefined for names that are not described. */
export function describeRegister(name: string): RegisterDescription | undefined {
  const whole = familyOf.get(name);
  if (whole !== undefined) {
    const bits = partBits(name);
    const part = name === whole ? '64 bits' : `${partName(name, bits)} of ${whole.toUpperCase()}`;
    const note = bits === 32 ? ' Writing it clears the upper 32 bits in 64-bit mode.' : '';
    return { title: `General register, ${part}`, text: general[whole].text + note };
  }
  if (special[name]) return special[name];
  if (/^[xyz]mm\d+$/.test(name)) {
    const bits = { x: 128, y: 256, z: 512 }[name[0]];
    return {
      title: `Vector register, ${bits} bits`,
      text: 'Its low 128 bits are the XMM register of the same number.',
    };
  }
  if (/^mm\d$/.test(name))
    return { title: 'MMX register, 64 bits', text: 'It lies in the x87 register stack.' };
  if (/^st(\(\d\))?$/.test(name))
    return { title: 'x87 register, 80 bits', text: 'Counted from the top of the x87 stack.' };
  if (/^k[0-7]$/.test(name))
    return { title: 'Mask register, 64 bits', text: 'Predicates of AVX-512; k0 cannot be a write mask.' };
  return undefined;
}

function partName(name: string, bits: number): string {
  if (bits !== 8) return `bits ${bits - 1}:0`;
  return name.endsWith('h') ? 'bits 15:8' : 'bits 7:0';
}
