/** The command line as README promises it: statuses, both outputs, and what it says of bad input. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runCommand } from '../cli/command.js';
import { MAX_VCPUS } from '../debug-adapter/protocol.js';
import { buildGuest } from '../toolchain/buildGuest.js';
import { platformNode } from '../toolchain/platformNode.js';
import { ROOT } from './runGuest.js';

const HELLO = path.join(ROOT, 'examples', 'hello', 'hello.S');
const README = readFileSync(path.join(ROOT, 'README.md'), 'utf8');

interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function hyperstep(...words: string[]): Promise<Finished> {
  const stdout: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  const into = (chunks: Uint8Array[]) => (text: string | Uint8Array) => void chunks.push(Buffer.from(text));
  const status = await runCommand(words, ROOT, { stdout: into(stdout), stderr: into(stderr) });
  return { status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('command line', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-cli-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Writes a file into the tests' folder; answers its name. */
  const file = (name: string, contents: string | Uint8Array): string => {
    const at = path.join(folder, name);
    writeFileSync(at, contents);
    return at;
  };
  const guest = (name: string, code: string): string => file(name, `\t.globl\t_start\n_start:\n${code}\n`);

  /** Status, and what standard error must say; no run may end with a stack trace. */
  async function check(words: readonly string[], status: number, message: RegExp): Promise<Finished> {
    const finished = await hyperstep(...words);
    assert.match(finished.stderr, message);
    assert.doesNotMatch(finished.stderr, /^\s+at .*:\d+:\d+\)?$/m);
    assert.equal(finished.status, status, finished.stderr);
    return finished;
  }

  describe('exit status', () => {
    it('0 when the guest is over, with its console on standard output', async () => {
      const { stdout } = await check(['run', HELLO], 0, /^\[ +0\.\d+\] kvm: /);
      assert.equal(stdout, 'Hello from the guest.\nThe host answered 0x55AA.\n');
    });

    for (const host of ['kvm', 'none']) {
      it(`(V << 1) | 1 for a value V at port 0xf4, host ${host}`, async () => {
        const program = guest('exit.S', '\tmovb\t$0x2a, %al\n\toutb\t%al, $0xf4');
        await check(['run', program, '--host', host], 0x55, /(?:)/);
      });
    }

    it('70 when the guest triple-faults, with the exception and its line', async () => {
      const program = guest('ud2.S', '\tnop\n\tud2');
      await check(
        ['run', program],
        70,
        /^hyperstep: the guest triple-faulted: #UD invalid opcode; in the guest at 0x100001 \(.*ud2\.S:4\)$/m,
      );
      await check(
        ['run', program, '--host', 'none'],
        70,
        /^hyperstep: Triple fault: .*; #UD invalid opcode; in VMX root operation at 0x100001 \(.*ud2\.S:4\)$/m,
      );
    });

    it('70 when a bare-metal hypervisor’s VM entry is refused and it gives up, with the check', async () => {
      const program = guest('refused.S', REFUSED_VM_ENTRY);
      await check(
        ['run', program, '--host', 'none'],
        70,
        /^hyperstep: VM entry failed with VM-instruction error 7\. .*\(SDM 27\.\d[.\d]*\): /m,
      );
    });

    it('70 when the machine has not got an instruction, with its name', async () => {
      const program = guest('sse.S', '\taddps\t%xmm0, %xmm1');
      await check(
        ['run', program, '--host', 'none'],
        70,
        /^hyperstep: addps at RIP 0x\w+ is not implemented/m,
      );
    });

    it('75 at the limit, with the place', async () => {
      const program = guest('loop.S', '\tjmp\t_start');
      await check(
        ['run', program, '--max-instructions', '1000000'],
        75,
        /^hyperstep: stopped after 1000000 instructions, in the guest at 0x100000 \(.*loop\.S:3\)$/m,
      );
    });

    it('255 when the host cannot go on, which says why', async () => {
      await check(
        ['run', HELLO, '--memory', '2M'],
        255,
        /Kernel panic:\n.*"memory=2097152": a guest has at least/,
      );
    });

    it('255 when a handler faults, with the exception and its line', async () => {
      const handlers = file(
        'null.c',
        handlersFile('HYPERCALL(60, "nap", nap);').replace('msleep(a0)', '*(int *)a0 = 1'),
      );
      await check(
        ['run', guest('null.S', '\tmovl\t$60, %eax\n\tmovl\t$8, %ebx\n\tvmcall'), '--handlers', handlers],
        255,
        /^hyperstep: the host gave up: #PF page fault: a write to 0x8 .* in VMX root operation at 0x\w+ \(.*null\.c:4\)$/m,
      );
    });
  });

  describe('programs and hosts', () => {
    it('modules and words reach a bare-metal program by multiboot', async () => {
      const program = file('kernel.S', MULTIBOOT_KERNEL);
      const { stdout } = await check(
        ['run', program, '--host', 'none', '--module', file('a.txt', 'first'), '--append', 'some words'],
        (7 << 1) | 1,
        /^$/,
      );
      assert.equal(stdout, `${program} some words|first|`);
    });

    it('a multiboot host of one’s own gets the program as module 0, and further ones behind it', async () => {
      const built = await buildGuest({
        program: file('host.S', MULTIBOOT_KERNEL),
        mode: 'protected',
        includeFolders: [],
        platform: platformNode,
      });
      assert.ok('elf' in built);
      const host = file('host.elf', built.elf);
      const { stdout } = await check(
        ['run', HELLO, '--host', host, '--module', file('b.txt', 'second'), '--vcpus', '3'],
        (7 << 1) | 1,
        /^$/,
      );
      assert.match(
        stdout,
        new RegExp(`^${host} vcpus=3 mode=long memory=67108864\\|\x7fELF[^]*\\|second\\|$`),
      );
    });

    it('--mode protected starts 32-bit code', async () => {
      const program = path.join(ROOT, 'examples', 'operand-cut', 'protected.S');
      const { stdout } = await check(['run', program, '--mode', 'protected'], 0, /protected mode/);
      assert.equal(stdout, 'Hypercalls from protected mode are 32 bits wide.\n');
    });

    it('a C guest with only main ends with its value', async () => {
      await check(['run', file('main.c', 'int main(void) { return 3; }\n')], 7, /(?:)/);
    });

    it(`--vcpus up to ${MAX_VCPUS}, which is one number everywhere`, async () => {
      const program = guest('count.S', '\tcli\n\thlt');
      await check(['run', program, '--vcpus', `${MAX_VCPUS}`], 0, new RegExp(`vcpu ${MAX_VCPUS - 1}: `));
      const header = readFileSync(path.join(ROOT, 'hypervisors/include/hyperstep/kvm_host.h'), 'utf8');
      assert.match(header, new RegExp(`#define KVM_MAX_VCPUS ${MAX_VCPUS}\n`));
      const manifest = readFileSync(path.join(ROOT, 'package.json'), 'utf8');
      assert.match(manifest, new RegExp(`"vcpus": \\{[^}]*"maximum": ${MAX_VCPUS},`));
    });

    it('--time fast jumps over idle time, real lets it pass', async () => {
      const handlers = file('nap.c', handlersFile('HYPERCALL(60, "nap", nap);'));
      const nap = (milliseconds: number): string =>
        guest('nap.S', `\tmovl\t$60, %eax\n\tmovl\t$${milliseconds}, %ebx\n\tvmcall\n\tcli\n\thlt`);
      const elapsed = async (program: string, time: string): Promise<number> => {
        const start = performance.now();
        await check(['run', program, '--handlers', handlers, '--time', time], 0, /(?:)/);
        return performance.now() - start;
      };
      const hour = await elapsed(nap(3_600_000), 'fast');
      assert.ok(hour < 30_000, `${hour} ms`);
      const real = await elapsed(nap(400), 'real');
      assert.ok(real >= 400, `${real} ms`);
    });
  });

  describe('trace and exits', () => {
    it('a line for each hypercall; the console is on standard error', async () => {
      const { stdout } = await check(['trace', HELLO], 0, /Hello from the guest/);
      assert.match(
        stdout,
        /^#0 vcpu0 cpl0 KVM_HC_HYPERSTEP_HELLO rax=0x64->0x55aa rbx=0x0 rcx=0x0 rdx=0x3f8 rsi=0x\w+ = 0x55aa \(.*hello\.S:12, \d+ ns\)\n$/,
      );
    });

    it('--json has the promised fields', async () => {
      const { stdout } = await check(['trace', HELLO, '--json'], 0, /(?:)/);
      const [line, ...rest] = jsonLines(stdout);
      assert.deepEqual(rest, []);
      const { position, virtualNs, before, ...others } = line;
      assert.ok(Number.isInteger(position) && Number.isInteger(virtualNs));
      const { rsi } = before as { rsi: string };
      assert.deepEqual(before, { rax: '0x64', rbx: '0x0', rcx: '0x0', rdx: '0x3f8', rsi });
      assert.deepEqual(others, {
        seq: 0,
        vcpu: 0,
        kind: 'kvm',
        nr: '0x64',
        name: 'KVM_HC_HYPERSTEP_HELLO',
        after: { rax: '0x55aa', rbx: '0x0', rcx: '0x0', rdx: '0x3f8', rsi },
        cpl: 0,
        result: '0x55aa',
        source: { file: HELLO, line: 12 },
      });
      for (const name of Object.keys(line)) assert.ok(README.includes(`\`${name}\``), `README: ${name}`);
    });

    it('a call that has not returned has after: null; calls behind it are told all the same', async () => {
      const handlers = file('nap.c', handlersFile('HYPERCALL(60, "nap", nap);'));
      const code = `	testl	%edi, %edi
	jnz	other
	movl	$60, %eax
	movl	$-1, %ebx
	vmcall
other:
	movl	$1, %eax
	vmcall
	jmp	other`;
      const words = ['trace', guest('blocked.S', code), '--vcpus', '2', '--handlers', handlers];
      const limit = ['--max-instructions', '400000'];
      const json = await check([...words, ...limit, '--json'], 75, /stopped after 400000 instructions/);
      const [nap, ...polls] = jsonLines(json.stdout);
      assert.deepEqual([nap.vcpu, nap.name, nap.after, nap.result], [0, 'nap', null, null]);
      assert.ok(polls.length > 1);
      assert.deepEqual([polls[0].vcpu, polls[0].name, polls[0].result], [1, 'KVM_HC_VAPIC_POLL_IRQ', '0x0']);
      const text = await check([...words, ...limit], 75, /(?:)/);
      assert.match(text.stdout, /^#0 vcpu0 cpl0 nap rax=0x3c .* = not answered \(/);
    });

    it('exits counts each reason by name and number', async () => {
      const { stdout } = await check(['exits', HELLO, '--json'], 0, /52 exits, 1 hypercalls, 1 halts/);
      const lines = jsonLines(stdout);
      const counts = lines.map(({ reason, name, count }) => [reason, name, count]);
      assert.deepEqual(counts, [
        [12, 'EXIT_REASON_HLT', 1],
        [18, 'EXIT_REASON_VMCALL', 1],
        [30, 'EXIT_REASON_IO_INSTRUCTION', 48],
        [48, 'EXIT_REASON_EPT_VIOLATION', 2],
      ]);
      assert.ok(lines.every(({ virtualNs }) => Number.isInteger(virtualNs)));
      const text = await check(['exits', HELLO], 0, /(?:)/);
      assert.match(
        text.stdout,
        /^number +exit reason +count +ns in the host\n[^]*\n +18 +EXIT_REASON_VMCALL +1 +\d+\n/,
      );
    });
  });

  describe('bad input', () => {
    const registersTwice = handlersFile('HYPERCALL(20, "one", nap);\nHYPERCALL(0x14, "two", nap);');
    const cases: readonly [what: string, words: () => string[], message: RegExp][] = [
      [
        'a guest that does not assemble',
        () => ['run', guest('bad.S', '\tfrobnicate\t%eax')],
        /^\S*bad\.S:3:2: error: no such instruction: 'frobnicate'\n$/,
      ],
      [
        'a guest that does not compile',
        () => ['run', file('bad.c', 'void _start(void)\n{\n\ty = 1;\n}\n')],
        /^\S*bad\.c:3:\d+: error: .*'y'/,
      ],
      ['a guest without _start', () => ['run', file('no.S', '\tnop\n')], /^\S*no\.S:1:1: error: no '_start'/],
      [
        'a C guest without _start and main',
        () => ['run', file('no.c', 'int x;\n')],
        /no\.c:1:1: error: no '_start' and no 'main'/,
      ],
      [
        'a missing file',
        () => ['run', path.join(folder, 'absent.S')],
        /absent\.S:1:1: error: guest program .* does not exist/,
      ],
      [
        'no ELF',
        () => ['run', file('text', 'hello')],
        /text:1:1: error: not an ELF: first bytes 68 65 6c 6c/,
      ],
      [
        'a missing host',
        () => ['run', HELLO, '--host', '/absent.elf'],
        /^\/absent\.elf:1:1: error: host .* does not exist/,
      ],
      ['a host that is no ELF', () => ['run', HELLO, '--host', HELLO], /hello\.S:1:1: error: .*not an ELF/],
      [
        'a host that is no multiboot program',
        () => ['run', HELLO, '--host', process.execPath],
        /node:1:1: error: not a host: it has no multiboot header/,
      ],
      [
        'a missing module',
        () => ['run', HELLO, '--module', '/absent'],
        /^\/absent:1:1: error: module .* does not exist/,
      ],
      [
        'too much memory',
        () => ['run', HELLO, '--memory', '9G'],
        /error: "memory": 9G is not from 1M to 3552M/,
      ],
      [
        'handlers on bare metal',
        () => ['run', HELLO, '--host', 'none', '--handlers', 'h.c'],
        /error: "handlers" need a host/,
      ],
      [
        'a number that two handlers have',
        () => ['run', HELLO, '--handlers', file('twice.c', registersTwice)],
        /twice\.c:8:1: error: hypercall 20 is registered twice: "one" at line 7 has it already\n$/,
      ],
      [
        'a number of the host’s own',
        () => ['run', HELLO, '--handlers', file('own.c', handlersFile('HYPERCALL(5, "kick", nap);'))],
        /own\.c:7:1: error: hypercall 5 is answered by the host itself/,
      ],
      [
        'handlers that do not compile',
        () => ['run', HELLO, '--handlers', file('broken.c', handlersFile('HYPERCALL(20, "x", absent);'))],
        /broken\.c:7:\d+: error: .*'absent'/,
      ],
    ];
    for (const [what, words, message] of cases) {
      it(what, async () => {
        const { stdout } = await check(words(), 1, message);
        assert.equal(stdout, '');
      });
    }

    it('a wrong command line is status 2 and names the word', async () => {
      await check([], 2, /^hyperstep: a command is missing/);
      await check(
        ['run', HELLO, '--vcpus', '64'],
        2,
        /^hyperstep: --vcpus 64: a whole number from 1 to 63 \(see/,
      );
      await check(['run', HELLO, '--mode'], 2, /--mode/);
      await check(['run', HELLO, '--colour', 'red'], 2, /--colour/);
      await check(['run', HELLO, '--max-instructions', 'x'], 2, /--max-instructions x/);
    });
  });

  describe('dist/cli.cjs', () => {
    const cli = path.join(ROOT, 'dist', 'cli.cjs');

    it('is the bin of the package, and runs from any folder', () => {
      const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { bin: object };
      assert.deepEqual(manifest.bin, { hyperstep: 'dist/cli.cjs' });
      const elsewhere = path.join(folder, 'elsewhere');
      mkdirSync(elsewhere);
      const { status, stdout } = spawnSync(cli, ['run', HELLO], { cwd: elsewhere, encoding: 'utf8' });
      assert.equal(stdout, 'Hello from the guest.\nThe host answered 0x55AA.\n');
      assert.equal(status, 0);
    });

    it('says nothing when nobody reads any more', () => {
      const errors = path.join(folder, 'errors');
      spawnSync('sh', ['-c', `"${cli}" trace "${HELLO}" 2>"${errors}" | head -c 0`]);
      assert.doesNotMatch(readFileSync(errors, 'utf8'), /EPIPE|^\s+at /m);
    });
  });
});

/** A handlers file whose registration lines begin at line 7. */
function handlersFile(registrations: string): string {
  return `#include <hyperstep/hypercall.h>
static unsigned long nap(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1, unsigned long a2, unsigned long a3)
{
	msleep(a0);
	return 0;
}
${registrations}
`;
}

/** Prints its command line and its modules, each with a bar behind it, and ends with the value 7. */
const MULTIBOOT_KERNEL = `	.code32
	.text
	.balign	4
	.long	0x1badb002, 0, 0xe4524ffe
	.globl	_start
_start:
	movl	$0x80000, %esp
	movw	$0x3f8, %dx
	movl	16(%ebx), %esi
1:	lodsb
	testb	%al, %al
	jz	2f
	outb	%al, %dx
	jmp	1b
2:	movb	$'|', %al
	outb	%al, %dx
	movl	20(%ebx), %ebp
	movl	24(%ebx), %edi
3:	movl	(%edi), %esi
	movl	4(%edi), %ecx
	subl	%esi, %ecx
	rep	outsb
	outb	%al, %dx
	addl	$16, %edi
	decl	%ebp
	jnz	3b
	movb	$7, %al
	outb	%al, $0xf4
`;

/** VMXON, and VMLAUNCH of a VMCS in which every control is 0. */
const REFUSED_VM_ENTRY = `	movl	$0x3a, %ecx
	movl	$5, %eax
	xorl	%edx, %edx
	wrmsr
	movq	%cr4, %rax
	orl	$0x2000, %eax
	movq	%rax, %cr4
	movq	%cr0, %rax
	orl	$0x20, %eax
	movq	%rax, %cr0
	movl	$0x480, %ecx
	rdmsr
	movl	%eax, 0x200000
	movl	%eax, 0x201000
	movq	$0x200000, pointer(%rip)
	vmxon	pointer(%rip)
	movq	$0x201000, pointer(%rip)
	vmclear	pointer(%rip)
	vmptrld	pointer(%rip)
	vmlaunch
	cli
	hlt
	.data
pointer: .quad	0
`;
