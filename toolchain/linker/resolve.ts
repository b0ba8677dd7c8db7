import type { Diagnostic } from '../diagnostic.js';
import { SHF, STB, STT } from '../elf/constants.js';
import type { ObjectFile, ObjectSymbol } from '../elf/objectFile.js';
import type { ArchiveMember } from './archive.js';
import { errorIn, placeOf } from './messages.js';

/** A section of an object on its way to the output. */
export interface InputSection {
  readonly object: ObjectFile;
  /** Index in the object's sections. */
  readonly index: number;
  readonly name: string;
  /** SHT.*, SHF.* */
  readonly type: number;
  readonly flags: number;
  readonly alignment: number;
  readonly size: number;
  readonly bytes: Uint8Array;
  /** Where it is in its output section. */
  offset: number;
  output: OutputSection | undefined;
}

/** A section of the executable. */
export interface OutputSection {
  readonly name: string;
  readonly inputs: InputSection[];
  /** Numbers of `LONG(…)` and its like. */
  readonly data: { readonly offset: number; readonly size: number; readonly value: bigint }[];
  type: number;
  flags: number;
  alignment: number;
  address: bigint;
  loadAddress: bigint;
  size: number;
}

/** What a name means to the whole program. */
export interface Definition {
  readonly object: ObjectFile;
  readonly symbol: ObjectSymbol;
  /** Where it stands; undefined for absolute symbols. */
  readonly section: InputSection | undefined;
}

/** The symbols and sections of all objects that take part. */
export class Program {
  readonly objects: ObjectFile[] = [];
  readonly sections = new Map<ObjectFile, (InputSection | undefined)[]>();
  readonly definitions = new Map<string, Definition>();
  readonly undefinedNames = new Set<string>();
  /** Names that only weak references want: they are 0 without a definition. */
  private readonly strongNames = new Set<string>();
  private readonly commons = new Map<string, { object: ObjectFile; symbol: ObjectSymbol }>();
  private readonly groups = new Set<string>();

  constructor(private readonly diagnostics: Diagnostic[]) {}

  /** Does only a weak reference want this name? */
  isWeakReference(name: string): boolean {
    return !this.strongNames.has(name);
  }

  require(name: string): void {
    this.strongNames.add(name);
    if (!this.definitions.has(name) && !this.commons.has(name)) this.undefinedNames.add(name);
  }

  add(object: ObjectFile): void {
    this.objects.push(object);
    const sections = object.sections.map((section, index): InputSection => {
      const { name, type, flags, alignment, size, bytes } = section;
      return { object, index, name, type, flags, alignment, size, bytes, offset: 0, output: undefined };
    });
    const kept: (InputSection | undefined)[] = sections;
    for (const { signature, isComdat, members } of object.groups) {
      const isDuplicate = isComdat && this.groups.has(signature);
      this.groups.add(signature);
      if (isDuplicate) for (const member of members) kept[member] = undefined;
    }
    sections.forEach(({ flags }, index) => {
      if (flags & SHF.EXCLUDE) kept[index] = undefined;
    });
    this.sections.set(object, kept);
    for (const symbol of object.symbols)
      if (symbol.binding !== STB.LOCAL) this.addSymbol(object, symbol, kept);
  }

  private addSymbol(
    object: ObjectFile,
    symbol: ObjectSymbol,
    sections: readonly (InputSection | undefined)[],
  ): void {
    const { name, section, binding } = symbol;
    const isInDroppedGroup = typeof section === 'number' && sections[section] === undefined;
    if (section === 'undefined' || isInDroppedGroup) {
      if (binding !== STB.WEAK) this.strongNames.add(name);
      if (!this.definitions.has(name) && !this.commons.has(name)) this.undefinedNames.add(name);
      return;
    }
    if (section === 'common') {
      this.addCommon(object, symbol);
      return;
    }
    const existing = this.definitions.get(name);
    if (existing && existing.symbol.binding !== STB.WEAK) {
      if (binding !== STB.WEAK) this.reportDuplicate(name, existing, object, symbol);
      return;
    }
    if (existing && binding === STB.WEAK) return;
    const place = typeof section === 'number' ? sections[section] : undefined;
    this.definitions.set(name, { object, symbol, section: place });
    this.commons.delete(name);
    this.undefinedNames.delete(name);
  }

  /** The largest of the common symbols of a name wins. */
  private addCommon(object: ObjectFile, symbol: ObjectSymbol): void {
    const definition = this.definitions.get(symbol.name);
    if (definition && definition.symbol.binding !== STB.WEAK) return;
    const existing = this.commons.get(symbol.name);
    if (!existing || existing.symbol.size < symbol.size) this.commons.set(symbol.name, { object, symbol });
    this.undefinedNames.delete(symbol.name);
  }

  private reportDuplicate(name: string, first: Definition, object: ObjectFile, symbol: ObjectSymbol): void {
    const before = placeOf(first.object, first.symbol);
    const place = placeOf(object, symbol);
    const where = before.line > 0 ? `${before.file}:${before.line}` : before.file;
    this.diagnostics.push(errorIn(place, `duplicate symbol '${name}': it is defined in ${where} already`));
  }

  /** Takes the members of archives that define what is missing, until nothing more is found. */
  takeFromArchives(archives: readonly (readonly ArchiveMember[])[]): void {
    const taken = new Set<ArchiveMember>();
    for (let found = true; found;) {
      found = false;
      for (const member of archives.flat()) {
        if (taken.has(member)) continue;
        const isWanted = Array.from(this.undefinedNames).some(
          (name) => !this.isWeakReference(name) && member.defined.has(name),
        );
        if (!isWanted) continue;
        taken.add(member);
        this.add(member.load());
        found = true;
      }
    }
  }

  /** Makes room for common symbols: one object of ours with a section `COMMON`. */
  placeCommons(bits: 32 | 64): void {
    if (this.commons.size === 0) return;
    let size = 0;
    let alignment = 1;
    const symbols: ObjectSymbol[] = [];
    for (const { symbol } of this.commons.values()) {
      const own = Math.max(1, Number(symbol.value));
      size = Math.ceil(size / own) * own;
      alignment = Math.max(alignment, own);
      symbols.push({ ...symbol, type: STT.OBJECT, value: BigInt(size), section: 0 });
      size += Number(symbol.size);
    }
    this.commons.clear();
    this.add(syntheticObject('common symbols', bits, 'COMMON', size, alignment, symbols));
  }
}

/** An object of the linker's own with one section of zeros. */
export function syntheticObject(
  name: string,
  bits: 32 | 64,
  section: string,
  size: number,
  alignment: number,
  symbols: readonly ObjectSymbol[] = [],
): ObjectFile {
  const isSpace = section === 'COMMON';
  return {
    name,
    bits,
    symbols,
    groups: [],
    sections: [
      {
        name: section,
        type: isSpace ? 8 : 1,
        flags: SHF.ALLOC | SHF.WRITE,
        alignment,
        entrySize: 0,
        bytes: new Uint8Array(isSpace ? 0 : size),
        size,
        relocations: [],
      },
    ],
  };
}
