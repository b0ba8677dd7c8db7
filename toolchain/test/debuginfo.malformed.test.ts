import assert from 'node:assert/strict';
import { DebugInfo } from '../debuginfo/debugInfo.js';
import type { MachineContext } from '../debuginfo/debugInfo.js';
import { readValue } from '../debuginfo/values.js';
import { FormatError } from '../elf/byteReader.js';
import { ElfFile } from '../elf/elfFile.js';
import { BuildDirectory, lacksTools, readBytes } from './debuginfo/builds.js';

const ROUNDS = 150;

/** Registers and memory that hold nothing useful, but are there. */
const machine: MachineContext = {
  bits: 64,
  cfa: 0x7000n,
  register: (number) => BigInt(number) * 16n,
  readMemory: (_address, length) => (length > 1 << 20 ? undefined : new Uint8Array(length)),
};

describe('malformed debug information', function () {
  if (lacksTools('gcc')) {
    return;
  }
  const directory = new BuildDirectory();
  after(() => directory.remove());

  for (const version of [4, 5]) {
    it(`ends in an error that names section and offset, or in an answer: DWARF ${version}`, () => {
      const options = ['-g', `-gdwarf-${version}`, '-O2', '-no-pie'];
      const original = readBytes(directory.compile('gcc', `victim${version}`, options));
      const sections = new ElfFile(original).sections.filter(({ name }) =>
        /^\.(debug_|eh_frame$|symtab)/.test(name),
      );
      const random = generator(version);
      let errors = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const bytes = original.slice();
        const section = sections[round % sections.length];
        for (let flip = 0; flip < 1 + (round % 8); flip++) {
          bytes[section.offset + (random() % section.size)] = random() & 0xff;
        }
        errors += survives(bytes, `round ${round}, ${section.name}`) ? 0 : 1;
      }
      assert.ok(errors > 0 && errors < ROUNDS, `${errors} of ${ROUNDS} ended in an error`);
    });
  }

  it('a truncated file names the file', () => {
    const original = readBytes(directory.compile('gcc', 'short', ['-g', '-no-pie']));
    for (const length of [0, 20, 63, 64, 1000, original.length - 100]) {
      assert.throws(
        () => DebugInfo.load(original.slice(0, length), 'short.elf'),
        /^Error: short\.elf: .*\+0x/,
      );
    }
  });
});

/** Asks everything. False when that ended in an error of the right kind; any other error fails the test. */
function survives(bytes: Uint8Array, what: string): boolean {
  const start = performance.now();
  try {
    askEverything(DebugInfo.load(bytes, 'victim'));
    return true;
  } catch (error) {
    const known =
      error instanceof FormatError || (error instanceof Error && error.cause instanceof FormatError);
    assert.ok(known, `${what}: ${error instanceof Error ? error.stack : String(error)}`);
    return false;
  } finally {
    assert.ok(performance.now() - start < 2000, `${what} took ${performance.now() - start} ms`);
  }
}

function askEverything(info: DebugInfo): void {
  for (const file of info.sourceFiles) {
    info.linesIn(file);
  }
  info.globals().forEach((variable) => readValue(variable.type, variable.locate(0n, machine), machine));
  for (const { low, high } of info.allFunctions().slice(0, 100)) {
    for (let address = low, count = 0; address < high && count < 20; address += 7n, count++) {
      info.lineAt(address);
      info.unwind(address, machine);
      info.inlineFramesAt(address);
      const { arguments: parameters, locals } = info.variablesAt(address);
      [...parameters, ...locals].forEach((variable) =>
        readValue(variable.type, variable.locate(address, machine), machine),
      );
    }
  }
}

/** xorshift32: the same rounds every time. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
