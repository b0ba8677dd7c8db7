// Compares a relocatable object of ours with one of GNU as.
import { SHF, SHT, STT } from '../../elf/constants.js';
import { readObject } from '../../elf/objectFile.js';
import type { ObjectFile, ObjectSection } from '../../elf/objectFile.js';
import { relocationType } from '../../elf/relocationTypes.js';

/** What differs between two objects in sections that a program has in memory; empty when nothing does. */
export function objectDifferences(ours: ObjectFile, theirs: ObjectFile): string[] {
  const differences: string[] = [];
  const names = new Set([...memorySections(theirs), ...memorySections(ours)].map(({ name }) => name));
  for (const name of names) {
    const left = memorySections(ours).filter((section) => section.name === name);
    const right = memorySections(theirs).filter((section) => section.name === name);
    if (left.length !== right.length) {
      differences.push(`${name}: ${left.length} sections, GNU as ${right.length}`);
      continue;
    }
    left.forEach((section, index) => {
      differences.push(...sectionDifferences(ours, section, theirs, right[index]));
    });
  }
  return [...differences, ...symbolDifferences(ours, theirs)];
}

const KINDS: ReadonlySet<number> = new Set([
  SHT.PROGBITS,
  SHT.NOBITS,
  SHT.NOTE,
  SHT.INIT_ARRAY,
  SHT.FINI_ARRAY,
  SHT.X86_64_UNWIND,
]);

/** `.note.gnu.property` is the driver's choice, not the source's. */
function memorySections(object: ObjectFile): ObjectSection[] {
  return object.sections.filter(
    ({ type, name, size }) => KINDS.has(type) && size > 0 && !/^\.(debug_|note\.gnu\.property)/.test(name),
  );
}

function sectionDifferences(
  ours: ObjectFile,
  left: ObjectSection,
  theirs: ObjectFile,
  right: ObjectSection,
): string[] {
  const differences: string[] = [];
  const { name } = right;
  const compare = (what: string, mine: unknown, wanted: unknown): void => {
    if (mine !== wanted) differences.push(`${name}: ${what} ${String(mine)}, GNU as ${String(wanted)}`);
  };
  compare('size', left.size, right.size);
  compare('alignment', left.alignment, right.alignment);
  compare('flags', left.flags & ~SHF.INFO_LINK, right.flags & ~SHF.INFO_LINK);
  compare('entry size', left.entrySize, right.entrySize);
  const at = left.bytes.findIndex((byte, index) => byte !== right.bytes[index]);
  if (at >= 0) {
    const shown = (bytes: Uint8Array): string =>
      Buffer.from(bytes.subarray(Math.max(0, at - 4), at + 12)).toString('hex');
    differences.push(`${name}+0x${at.toString(16)}: ${shown(left.bytes)}, GNU as ${shown(right.bytes)}`);
  }
  const mine = relocations(ours, left);
  const wanted = relocations(theirs, right);
  const missing = wanted.filter((line) => !mine.includes(line));
  const extra = mine.filter((line) => !wanted.includes(line));
  for (const line of missing.slice(0, 5)) differences.push(`${name}: no relocation ${line}`);
  for (const line of extra.slice(0, 5)) differences.push(`${name}: an extra relocation ${line}`);
  return differences;
}

function relocations(object: ObjectFile, section: ObjectSection): string[] {
  return section.relocations.map(({ offset, type, symbol, addend }) => {
    const target = object.symbols[symbol];
    const name = target ? target.name : '*ABS*';
    return `${offset.toString(16)} ${relocationType(object.bits, type)?.name ?? type} ${name}+${addend}`;
  });
}

/** Symbols that others see. */
function symbolDifferences(ours: ObjectFile, theirs: ObjectFile): string[] {
  const signatures = new Set(theirs.groups.map(({ signature }) => signature));
  const table = (object: ObjectFile): string[] =>
    object.symbols
      .filter(({ type, name }) => type !== STT.SECTION && type !== STT.FILE && !signatures.has(name))
      .map(({ name, value, size, binding, type, visibility, section }) => {
        const where = typeof section === 'number' ? object.sections[section].name : section;
        return `${name} ${where} ${value} size ${size} binding ${binding} type ${type} visibility ${visibility}`;
      });
  const mine = new Set(table(ours));
  const wanted = new Set(table(theirs));
  return [
    ...[...wanted]
      .filter((line) => !mine.has(line))
      .slice(0, 5)
      .map((line) => `no symbol ${line}`),
    ...[...mine]
      .filter((line) => !wanted.has(line))
      .slice(0, 5)
      .map((line) => `an extra symbol ${line}`),
  ];
}

export { readObject };
