/** The rows of the benchmark: one guest program each. */

/** Width of a guest's code in bits. */
export type GuestWidth = 32 | 64;

export interface Row {
  readonly name: string;
  /** What it stands for, for the table and the plot. */
  readonly title: string;
  /** Files of bench/guests besides boot.S, main.c and gates.c; `big.c` is generated. */
  readonly source: string;
  readonly widths: readonly GuestWidth[];
  /** What one round does, when a rate of that says more than guest instructions a second. */
  readonly work?: { readonly unit: string; readonly perRound: number };
  /** The program runs as a guest of hypervisors/kvm. */
  readonly underKvm?: true;
  /** It executes VMX instructions. */
  readonly needsVmx?: true;
}

const BOTH: readonly GuestWidth[] = [64, 32];

export const rows: readonly Row[] = [
  { name: 'alu', title: 'ALU loop', source: 'alu.c', widths: BOTH },
  { name: 'sieve', title: 'sieve', source: 'sieve.c', widths: BOTH },
  { name: 'chase', title: 'pointer chase, 16 MiB', source: 'chase.c', widths: BOTH },
  { name: 'calls', title: 'recursive calls', source: 'calls.c', widths: BOTH },
  { name: 'mix', title: 'CRC, sort, hash', source: 'mix.c', widths: BOTH },
  { name: 'big', title: '1,500 functions', source: 'big.c', widths: BOTH },
  {
    name: 'rep-movsb',
    title: 'REP MOVSB',
    source: 'rep-movsb.c',
    widths: BOTH,
    work: { unit: 'MB', perRound: (32 * 65_600) / 1e6 },
  },
  {
    name: 'interrupts',
    title: 'INT n and IRET',
    source: 'interrupts.c',
    widths: BOTH,
    work: { unit: 'interrupts', perRound: 20_000 },
  },
  {
    name: 'apic',
    title: 'local APIC: self-IPI and EOI',
    source: 'apic.c',
    widths: BOTH,
    work: { unit: 'interrupts', perRound: 10_000 },
  },
  {
    name: 'pages',
    title: 'page tables: TLB misses, CR3, INVLPG',
    source: 'pages.c',
    widths: BOTH,
    work: { unit: 'accesses', perRound: 8192 + 256 * 16 + 2048 },
  },
  {
    name: 'ports',
    title: 'port I/O',
    source: 'ports.c',
    widths: BOTH,
    work: { unit: 'accesses', perRound: 20_000 },
  },
  {
    name: 'vmcall',
    title: 'VMCALL, ten-line host',
    source: 'vmcall-bare.c',
    widths: [64],
    work: { unit: 'round trips', perRound: 10_000 },
    needsVmx: true,
  },
  {
    name: 'vmcall-kvm',
    title: 'VMCALL, the KVM host',
    source: 'vmcall-kvm.c',
    widths: [64],
    work: { unit: 'round trips', perRound: 1000 },
    underKvm: true,
    needsVmx: true,
  },
];
