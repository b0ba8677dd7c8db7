import assert from 'node:assert/strict';
import { SHT, STB, STT } from '../elf/constants.js';
import { ElfFile } from '../elf/elfFile.js';
import { buildId } from '../elf/notes.js';
import { BuildDirectory, lacksTools, readBytes, run } from './debuginfo/builds.js';

describe('ELF reader', () => {
  it('names the reason for what is no ELF file', () => {
    const check = (bytes: number[], message: RegExp): void => {
      assert.throws(() => new ElfFile(Uint8Array.from(bytes)), message);
    };
    const header = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, ...new Array<number>(57).fill(0)];
    check([1, 2, 3], /ELF header\+0x0: not an ELF file/);
    check(header.with(5, 2), /ELF header\+0x5: not little-endian/);
    check(header.with(4, 9), /EI_CLASS 9/);
    check(header.slice(0, 40), /ELF header\+0x/);
    check(header.with(0x28, 0x80).with(0x3c, 1), /section headers\+0x80: outside the section/);
    assert.equal(new ElfFile(Uint8Array.from(header)).sections.length, 0);
  });

  describe('against binutils', function () {
    if (lacksTools('gcc', 'readelf', 'nm')) {
      return;
    }
    const directory = new BuildDirectory();
    after(() => directory.remove());
    const builds: readonly [string, string[]][] = [
      ['executable', ['-no-pie', '-g', '-Wl,--build-id']],
      ['object', ['-c', '-g', '-ffunction-sections']],
      ['shared', ['-shared', '-fPIC', '-s']],
      ['object32', ['-c', '-m32', '-g']],
    ];

    for (const [name, options] of builds) {
      it(`reads what readelf reads: ${name}`, () => {
        const path = directory.compile('gcc', name, options);
        const elf = new ElfFile(readBytes(path));
        assert.deepEqual(symbolLines(elf), readelfSymbols(path, elf));
        assert.deepEqual(segmentLines(elf), readelfSegments(path));
        assert.deepEqual(sectionLines(elf), readelfSections(path));
        const notes = run('readelf', ['-nW', path]);
        assert.equal(buildId(elf), /Build ID: ([0-9a-f]+)/.exec(notes)?.[1]);
      });
    }
  });
});

const BINDINGS: Readonly<Record<number, string>> = {
  [STB.LOCAL]: 'LOCAL',
  [STB.GLOBAL]: 'GLOBAL',
  [STB.WEAK]: 'WEAK',
};
const TYPES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(STT).map(([name, value]) => [value, name === 'GNU_IFUNC' ? 'IFUNC' : name]),
);

function symbolLines(elf: ElfFile): string[] {
  return elf.symbols.map(({ name, value, size, type, binding }) => {
    const shown = type === STT.SECTION ? '' : name.replace(/@.*$/, '');
    return `${value.toString(16)} ${size} ${TYPES[type]} ${BINDINGS[binding]} ${shown}`.trim();
  });
}

function readelfSymbols(path: string, elf: ElfFile): string[] {
  const table = elf.sections.some(({ type }) => type === SHT.SYMTAB) ? '-sW' : '--dyn-syms';
  const dump = run('readelf', [table, '-W', path]);
  const wanted = dump.slice(dump.lastIndexOf('Symbol table'));
  const rows = wanted.matchAll(/^ *\d+: ([0-9a-f]+) +(\w+) (\w+) +(\w+) +\w+ +\w+ ?(.*)$/gm);
  return [...rows].slice(1).map(([, value, size, type, binding, name]) => {
    const shown = type === 'SECTION' ? '' : name.replace(/@.*$/, '').trim();
    return `${BigInt(`0x${value}`).toString(16)} ${Number(size)} ${type} ${binding} ${shown}`.trim();
  });
}

function segmentLines(elf: ElfFile): string[] {
  return elf.programHeaders.map(({ offset, virtualAddress, physicalAddress, fileSize, memorySize }) =>
    [BigInt(offset), virtualAddress, physicalAddress, BigInt(fileSize), memorySize]
      .map((value) => value.toString(16))
      .join(' '),
  );
}

function readelfSegments(path: string): string[] {
  const rows = run('readelf', ['-lW', path]).matchAll(/^ {2}[A-Z_]+ +((?:0x[0-9a-f]+ +){5})/gm);
  return [...rows].map(([, numbers]) =>
    numbers
      .trim()
      .split(/ +/)
      .map((number) => BigInt(number).toString(16))
      .join(' '),
  );
}

function sectionLines(elf: ElfFile): string[] {
  return elf.sections
    .slice(1)
    .map(
      ({ name, address, offset, size }) =>
        `${name} ${address.toString(16)} ${offset.toString(16)} ${size.toString(16)}`,
    );
}

function readelfSections(path: string): string[] {
  const rows = run('readelf', ['-SW', path]).matchAll(/^ *\[ *[1-9]\d*\] (\S+) +\S+ +(\w+) (\w+) (\w+)/gm);
  return [...rows].map(([, name, ...numbers]) =>
    [name, ...numbers.map((number) => BigInt(`0x${number}`).toString(16))].join(' '),
  );
}
