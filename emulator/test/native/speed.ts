/**
 * How fast the machine is: million guest instructions a second on loops compiled by gcc.
 *
 *   npx tsx emulator/test/native/speed.ts [--instructions 300e6] [--compiler off] [alu|sieve|fib|mix|big ...]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EngineExit } from '../../cpu/seams.js';
import { flatMachine } from './flatMachine.js';

const LOAD_ADDRESS = 0x10_0000;
const STACK_TOP = 0x8_0000;
const BUFFER = 0x80_0000;

const PRELUDE = `
typedef unsigned long u64; typedef unsigned u32; typedef unsigned char u8;
u64 entry(u64 n);
__attribute__((section(".text.start"), naked)) void _start(void) { __asm__("mov $1000000000, %edi; call entry; hlt"); }
`;

/** 1,500 functions of mixed loads, stores, branches and calls: what an operating system looks like to an interpreter. */
function bigProgram(): string {
  const functions: string[] = [];
  const count = 1500;
  for (let index = 0; index < count; index += 1) {
    const callee = (index * 7 + 1) % count;
    const deeper = index % 3 === 0 && callee > index ? `f${callee}(x + p[1])` : 'p[2] ^ x';
    functions.push(`
static __attribute__((noinline)) u64 f${index}(u64 x) {
  u64 *p = (u64 *)${BUFFER}UL + ((x * ${index * 2 + 3}UL) & 4095);
  p[0] += x;
  if (x & ${1 << (index % 5)}) p[1] = p[0] >> 3; else p[2] = p[0] + ${index};
  for (int i = 0; i < ${(index % 4) + 1}; i++) x = x * 31 + ((u8 *)p)[i] + i;
  return ${deeper} + x;
}`);
  }
  const declarations = functions.map((_, index) => `static u64 f${index}(u64);`).join('\n');
  const table = functions.map((_, index) => `f${index}`).join(',');
  return `${declarations}\n${functions.join('')}
static u64 (*const table[])(u64) = {${table}};
u64 entry(u64 n) { u64 s = 1; do { for (int i = 0; i < ${count}; i++) s += table[i](s); } while (--n); return s; }`;
}

const PROGRAMS: Readonly<Record<string, string>> = {
  alu: `u64 entry(u64 n) { u64 x = 88172645463325252UL, h = 14695981039346656037UL;
    do { x ^= x << 13; x ^= x >> 7; x ^= x << 17; h = (h ^ x) * 1099511628211UL; h += x >> 32; if ((long)h < 0) h -= n; } while (--n);
    return h ^ x; }`,
  sieve: `#define N (4u << 20)
    u64 entry(u64 n) { u8 *b = (u8 *)${BUFFER}UL; u64 total = 0;
    do { for (u64 i = 0; i < N; i += 8) *(u64 *)(b + i) = 72340172838076673UL;
      for (u64 i = 2; i * i < N; i++) if (b[i]) for (u64 j = i * i; j < N; j += i) b[j] = 0;
      for (u64 i = 2; i < N; i++) total += b[i]; } while (--n);
    return total; }`,
  fib: `static __attribute__((noinline)) u64 fib(u64 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
    u64 entry(u64 n) { u64 s = 0; do s += fib(25); while (--n); return s; }`,
  mix: `static __attribute__((noinline)) u32 crc(const u32 *t, const u8 *p, u64 n) {
      u32 c = ~0u; while (n--) c = t[(c ^ *p++) & 255] ^ (c >> 8); return ~c; }
    static __attribute__((noinline)) void sort(int *a, long lo, long hi) {
      while (lo < hi) { int p = a[(lo + hi) >> 1]; long i = lo, j = hi;
        while (i <= j) { while (a[i] < p) i++; while (a[j] > p) j--; if (i <= j) { int t = a[i]; a[i++] = a[j]; a[j--] = t; } }
        if (j - lo < hi - i) { sort(a, lo, j); lo = i; } else { sort(a, i, hi); hi = j; } } }
    u64 entry(u64 n) { u32 *t = (u32 *)${BUFFER}UL, *a = t + 1024, *h = a + 65536; u64 r = 0; u32 x = 2463534242u;
      for (u32 i = 0; i < 256; i++) { u32 c = i; for (int k = 0; k < 8; k++) c = (c & 1) ? (c >> 1) ^ 0xEDB88320u : c >> 1; t[i] = c; }
      do { for (u32 i = 0; i < 50000; i++) { x ^= x << 13; x ^= x >> 17; x ^= x << 5; a[i] = x; }
        r += crc(t, (u8 *)a, 200000); sort((int *)a, 0, 49999); r = r * 33 + crc(t, (u8 *)a, 200000);
        for (u32 i = 0; i < 131072; i++) h[i] = 0;
        for (u32 i = 0; i < 50000; i++) { u32 k = a[i] | 1, s = (k * 2654435761u) >> 15; while (h[s] && h[s] != k) s = (s + 1) & 131071; h[s] = k; r += s; }
      } while (--n);
      return r; }`,
  big: bigProgram(),
};

function compile(source: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'hyperstep-speed-'));
  try {
    const script =
      'SECTIONS { . = LOAD; .text : { *(.text.start) *(.text*) *(.rodata*) *(.data*) } /DISCARD/ : { *(*) } }';
    writeFileSync(join(folder, 'guest.c'), PRELUDE + source);
    writeFileSync(join(folder, 'guest.ld'), script.replace('LOAD', `${LOAD_ADDRESS}`));
    const flags =
      '-O2 -ffreestanding -fno-pic -no-pie -fno-stack-protector -mgeneral-regs-only -mcmodel=small -nostdlib';
    const link = ['-Wl,-T,guest.ld', '-Wl,--build-id=none', '-Wl,--oformat=binary'];
    execFileSync(
      'gcc',
      [...flags.split(' '), ...link, '-fno-asynchronous-unwind-tables', '-o', 'guest.bin', 'guest.c'],
      { cwd: folder, stdio: 'inherit' },
    );
    return readFileSync(join(folder, 'guest.bin'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function measure(name: string, instructions: number, compiler: 'off' | 'on'): void {
  const machine = flatMachine({ ramSize: 0x200_0000, compiler });
  machine.load(LOAD_ADDRESS, compile(PROGRAMS[name]));
  machine.state.rip = BigInt(LOAD_ADDRESS);
  machine.state.rsp = BigInt(STACK_TOP);
  const slice = 1e6;
  const run = (count: number) => {
    const start = performance.now();
    for (let done = 0; done < count; done += machine.engine.retired) {
      const exit = machine.engine.run(slice);
      if (exit !== EngineExit.BUDGET)
        throw new Error(`${name}: engine exit ${exit} at ${machine.state.rip.toString(16)}`);
    }
    return count / (performance.now() - start) / 1e3;
  };
  const cold = run(instructions / 10);
  console.log(`${name}: ${run(instructions).toFixed(0)} MIPS (first tenth ${cold.toFixed(0)})`);
}

const { values, positionals } = parseArgs({
  options: {
    instructions: { type: 'string', default: '300e6' },
    compiler: { type: 'string', default: 'on' },
  },
  allowPositionals: true,
});
for (const name of positionals.length > 0 ? positionals : Object.keys(PROGRAMS)) {
  measure(name, Number(values.instructions), values.compiler === 'off' ? 'off' : 'on');
}
