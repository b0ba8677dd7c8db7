// Guests in C and NASM, handlers, and everything that is no guest, with the tools of this machine.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildGuest } from '../buildGuest.js';
import { compileHandlers } from '../compilers/compileHandlers.js';
import { parseCompilerMessages } from '../compilers/compilerMessages.js';
import { findCompiler } from '../compilers/findCompiler.js';
import type { Diagnostic } from '../diagnostic.js';
import { EM } from '../elf/constants.js';
import { ElfFile } from '../elf/elfFile.js';
import type { Platform } from '../platform.js';
import { platformNode } from '../platformNode.js';

const folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-cc-'));
const show = ({ file, line, severity, message }: Diagnostic): string =>
  `${path.relative(folder, file)}:${line}: ${severity}: ${message}`;

interface Case {
  readonly name: string;
  readonly source: string | Uint8Array;
  readonly mode?: 'long' | 'protected';
  readonly platform?: Platform;
}

async function build({
  name,
  source,
  mode = 'long',
  platform = platformNode,
}: Case): Promise<ElfFile | string[]> {
  const program = path.join(folder, name);
  writeFileSync(program, source);
  const result = await buildGuest({ program, mode, includeFolders: [folder], platform });
  if ('elf' in result) return new ElfFile(result.elf);
  return result.diagnostics.filter(({ severity }) => severity === 'error').map(show);
}

async function checkErrors(input: Case, expected: readonly RegExp[]): Promise<void> {
  const errors = await build(input);
  assert.ok(Array.isArray(errors), 'built, though it should not');
  assert.equal(errors.length, expected.length, errors.join('\n'));
  expected.forEach((pattern, index) => assert.match(errors[index], pattern));
}

const addressOf = (elf: ElfFile, name: string): bigint | undefined =>
  elf.symbols.find((symbol) => symbol.name === name)?.value;

describe('compilers: no tool needed', () => {
  const only = (source: string | Uint8Array, name = 'guest'): Case => ({ name, source });

  it('what is not an ELF', () =>
    checkErrors(only('hello'), [/^guest:1: error: not an ELF: first bytes 68 65 6c 6c/]));
  it('an empty file', () => checkErrors(only(''), [/not an ELF: first bytes \(none, the file is empty\)/]));
  it('an ELF that is cut off', () =>
    checkErrors(only(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1)), [/^guest:1: error: /]));
  it('an ELF of another machine', () => {
    const header = new Uint8Array(64);
    header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    header.set([2, 0, 183, 0, 1], 16);
    header.set([64, 0, 56, 0, 0, 0, 64, 0], 52);
    return checkErrors(only(header), [/another machine \(e_machine 183\)/]);
  });
  it('a missing file', async () => {
    const result = await buildGuest({
      program: path.join(folder, 'absent.S'),
      mode: 'long',
      includeFolders: [],
      platform: platformNode,
    });
    assert.ok('diagnostics' in result);
    assert.match(
      show(result.diagnostics[0]),
      /^absent\.S:1: error: guest program '.*absent\.S' does not exist$/,
    );
  });
  it('assembly, with a header of an include folder', async () => {
    writeFileSync(path.join(folder, 'numbers.h'), '#define ANSWER 42\n');
    const elf = await build({
      name: 'a.S',
      source: '#include <numbers.h>\n.globl _start\n_start: mov $ANSWER, %eax\n',
    });
    assert.ok(elf instanceof ElfFile);
    assert.deepEqual(
      [...elf.contentOf(elf.sections.find(({ name }) => name === '.text')!)],
      [0xb8, 42, 0, 0, 0],
    );
  });
  it('no compiler: says what was looked for and what to install', async () => {
    for (const [operatingSystem, hint] of [
      ['linux', /apt install gcc/],
      ['darwin', /brew install/],
      ['win32', /winget install zig/],
    ] as const) {
      const platform: Platform = {
        ...platformNode,
        operatingSystem,
        run: () => Promise.resolve(undefined),
        environment: () => undefined,
      };
      await checkErrors({ name: 'a.c', source: 'int main;', platform }, [
        /looked for gcc, clang, zig cc, x86_64-linux-gnu-gcc, x86_64-elf-gcc/,
      ]);
      await checkErrors({ name: 'a.c', source: 'int main;', platform }, [hint]);
      await checkErrors({ name: 'a.asm', source: '', platform }, [/nasm is not installed/]);
    }
  });

  const parsed = (output: string): string[] =>
    parseCompilerMessages(output, '/m.c', true).map(
      ({ file, line, column, endColumn, message }) => `${file}:${line}:${column}-${endColumn}: ${message}`,
    );
  it('messages of compilers and linkers', () => {
    assert.deepEqual(parsed("a.c:4:3: error: 'x' undeclared\n    4 |   xyz;\n      |   ^~~\n"), [
      "a.c:4:3-6: 'x' undeclared",
    ]);
    assert.deepEqual(parsed('C:\\g\\a.c:4:3: fatal error: no.h: No such file'), [
      'C:\\g\\a.c:4:3-4: no.h: No such file',
    ]);
    assert.deepEqual(
      parsed('ld.lld: error: undefined symbol: f\n>>> referenced by a.c:3 (/x/a.c:3)\n>>>   a.o:(main)'),
      ['a.c:3:1-2: undefined symbol: f'],
    );
    assert.deepEqual(
      parsed("/usr/bin/ld: /t/g.o: in function `main':\n/g/a.c:4: undefined reference to `f'"),
      ["/g/a.c:4:1-2: undefined reference to `f'"],
    );
    assert.deepEqual(parsed('Segmentation fault'), ['/m.c:1:1-2: Segmentation fault']);
  });
});

describe('compilers of this machine', () => {
  before(async function () {
    if (await findCompiler(platformNode)) return;
    console.log('      skipped: no C compiler is installed');
    this.skip();
  });
  after(() => rmSync(folder, { recursive: true }));

  it('main gets our _start, in both modes', async () => {
    for (const [mode, machine] of [
      ['long', EM.X86_64],
      ['protected', EM.I386],
    ] as const) {
      const elf = await build({
        name: 'main.c',
        source: 'int zeros[9];\nint main(void) { return zeros[2] + 7; }\n',
        mode,
      });
      assert.ok(elf instanceof ElfFile, String(elf));
      assert.equal(elf.machine, machine);
      assert.equal(elf.entry, addressOf(elf, '_start'));
      assert.equal(addressOf(elf, 'main'), 0x100000n);
      assert.ok(elf.sections.some(({ name }) => name === '.debug_line'));
      assert.ok(elf.sections.some(({ name }) => name === '.debug_frame'));
    }
  });
  it('a _start of its own is taken', async () => {
    const elf = await build({ name: 'start.c', source: 'void _start(void) { for (;;) __asm__("hlt"); }\n' });
    assert.ok(elf instanceof ElfFile);
    assert.equal(elf.entry, 0x100000n);
  });
  it('neither main nor _start', () =>
    checkErrors({ name: 'none.c', source: 'int f(void) { return 1; }\n' }, [
      /^none\.c:1: error: no '_start' and no 'main'/,
    ]));
  it('a compile error at its line', () =>
    checkErrors({ name: 'bad.c', source: 'int main(void)\n{\n  return 1 +;\n}\n' }, [
      /^bad\.c:3: error: expected expression/,
    ]));
  it('an undefined function at the line that calls it', () =>
    checkErrors({ name: 'undef.c', source: 'int f(void);\nint main(void)\n{\n  return f();\n}\n' }, [
      /^undef\.c:4: error: undefined (reference|symbol).*\bf\b/,
    ]));

  it('handlers: linked at their slot against the host, errors at their line', async () => {
    const host = await buildGuest({
      program: write('host.c', 'int msleep(int ms) { return ms; }\nvoid _start(void) { msleep(1); }\n'),
      mode: 'long',
      includeFolders: [],
      platform: platformNode,
    });
    assert.ok('elf' in host);
    const hostElfPath = path.join(folder, 'host.elf');
    writeFileSync(hostElfPath, host.elf);
    const source = (called: string): string =>
      `int ${called}(int);\nint handler(int ms)\n{\n  return ${called}(ms);\n}\n` +
      'static void *const entry __attribute__((used, section(".hypercalls"))) = handler;\n';
    const options = { hostElfPath, linkAddress: 0x800000n, includeFolders: [], platform: platformNode };
    const good = await compileHandlers({ ...options, file: write('handlers.c', source('msleep')) });
    assert.deepEqual(good.diagnostics, []);
    const elf = new ElfFile(good.elf!);
    assert.equal(addressOf(elf, 'handler'), 0x800000n);
    const table = elf.contentOf(elf.sections.find(({ name }) => name === '.hypercalls')!);
    assert.equal(new DataView(table.buffer, table.byteOffset).getBigUint64(0, true), 0x800000n);
    assert.equal(addressOf(elf, 'msleep'), addressOf(new ElfFile(host.elf), 'msleep'));

    const bad = await compileHandlers({ ...options, file: write('badHandlers.c', source('nosleep')) });
    assert.equal(bad.elf, undefined);
    assert.match(show(bad.diagnostics[0]), /^badHandlers\.c:4: error: undefined (reference|symbol).*nosleep/);
    const missing = await compileHandlers({ ...options, file: path.join(folder, 'absent.c') });
    assert.match(show(missing.diagnostics[0]), /does not exist/);
  });

  it('nasm', async function () {
    if ((await platformNode.run('nasm', ['-v']))?.exitCode !== 0) return this.skip();
    const elf = await build({ name: 'a.asm', source: 'bits 64\nglobal _start\n_start: mov eax, 1\n hlt\n' });
    assert.ok(elf instanceof ElfFile, String(elf));
    assert.equal(elf.entry, 0x100000n);
    await checkErrors({ name: 'b.asm', source: 'bits 64\nnosuch eax\n' }, [/^b\.asm:2: error: /]);
  });

  it('leaves no temporary folder behind', async () => {
    let seen = '';
    await platformNode.withTemporaryFolder((temporary) => {
      seen = temporary;
      writeFileSync(path.join(temporary, 'x'), 'x');
      assert.equal(readFileSync(path.join(temporary, 'x'), 'utf8'), 'x');
      return Promise.resolve();
    });
    assert.equal(existsSync(seen), false);
  });
});

function write(name: string, source: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, source);
  return file;
}
