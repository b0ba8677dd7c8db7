import type { Diagnostic } from '../diagnostic.js';
import { FormatError } from '../elf/byteReader.js';
import { SHF, SHT, STB, STT, STV } from '../elf/constants.js';
import type { ObjectFile, Relocation } from '../elf/objectFile.js';
import { writeElf } from '../elf/write.js';
import type { ElfSymbolInput } from '../elf/write.js';
import type { ArchiveMember } from './archive.js';
import { layOutProgram } from './layout.js';
import type { Layout } from './layout.js';
import { describeOffset, errorIn, placeAt } from './messages.js';
import { GlobalOffsetTable, collectGot, relocateInput, write } from './relocate.js';
import type { RelocationContext, ResolvedSymbol } from './relocate.js';
import { Program, syntheticObject } from './resolve.js';
import type { InputSection, OutputSection } from './resolve.js';
import { parseLinkerScript } from './script.js';
import { ScriptError } from './scriptLexer.js';

export interface LinkOptions {
  /** All of one width. */
  readonly objects: readonly ObjectFile[];
  /** Members are taken as far as something refers to them. */
  readonly archives?: readonly (readonly ArchiveMember[])[];
  readonly script: string;
  /** For messages about the script. */
  readonly scriptName?: string;
  /** Symbols at fixed addresses that objects may refer to, such as those of a program that is loaded already. */
  readonly absoluteSymbols?: ReadonlyMap<string, bigint>;
  /** Where the program starts when the script has no ENTRY; an image without an entry starts at 0. */
  readonly entry?: string;
}

export interface LinkResult {
  /** A static executable; undefined when there are errors. */
  readonly elf: Uint8Array | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

const MAX_REPORTED = 100;

/** Links objects into a static executable by a linker script. Bad input becomes diagnostics; nothing is thrown. */
export function linkProgram(options: LinkOptions): LinkResult {
  const diagnostics: Diagnostic[] = [];
  const scriptName = options.scriptName ?? 'linker script';
  try {
    const elf = new Link(options, diagnostics).run();
    return { elf: diagnostics.length > 0 ? undefined : elf, diagnostics: diagnostics.slice(0, MAX_REPORTED) };
  } catch (error) {
    if (error instanceof ScriptError) {
      const place = { file: scriptName, line: error.line };
      return { elf: undefined, diagnostics: [...diagnostics, errorIn(place, error.message)] };
    }
    if (!(error instanceof FormatError)) throw error;
    return {
      elf: undefined,
      diagnostics: [...diagnostics, errorIn({ file: error.section, line: 1 }, error.reason)],
    };
  }
}

/** Where the sections of one object would go, and their bytes there; what nothing defines counts as 0. */
export function previewSections(
  object: ObjectFile,
  script: string,
): { readonly address: bigint; readonly bytes: Uint8Array }[] {
  return new Link({ objects: [object], script }, []).preview();
}

class Link {
  private readonly program: Program;
  private readonly got: GlobalOffsetTable;
  private readonly bits: 32 | 64;
  private layout: Layout = { sections: [], symbols: new Map() };
  private readonly reported = new Set<string>();

  constructor(
    private readonly options: LinkOptions,
    private readonly diagnostics: Diagnostic[],
  ) {
    this.bits = options.objects[0]?.bits ?? 64;
    this.program = new Program(diagnostics);
    this.got = new GlobalOffsetTable(this.bits === 64 ? 8 : 4);
  }

  private place(): string | undefined {
    const { options, program } = this;
    const script = parseLinkerScript(options.script);
    const entry = script.entry ?? options.entry;
    for (const object of options.objects) this.add(object);
    if (entry) program.require(entry);
    program.takeFromArchives(options.archives ?? []);
    program.placeCommons(this.bits);
    this.addGot();
    this.layout = layOutProgram(program, script, (name) => this.globalAddress(name));
    return entry;
  }

  preview(): { readonly address: bigint; readonly bytes: Uint8Array }[] {
    this.place();
    const contents = this.contents();
    const [object] = this.options.objects;
    const inputs = this.program.sections.get(object)!;
    return object.sections.map(({ size, bytes }, index) => {
      const output = inputs[index]?.output;
      const whole = output && contents.get(output);
      if (!output || !whole)
        return {
          address: output ? output.address : 0n,
          bytes: bytes.length === size ? bytes : new Uint8Array(size),
        };
      const { offset } = inputs[index]!;
      return { address: output.address + BigInt(offset), bytes: whole.subarray(offset, offset + size) };
    });
  }

  run(): Uint8Array {
    const { options } = this;
    const entry = this.place();
    const start = entry === undefined ? 0n : this.globalAddress(entry);
    if (start === undefined) {
      const first = options.objects[0]?.name ?? '';
      this.diagnostics.push(
        errorIn(
          { file: first, line: 1 },
          `no '${entry}': the program starts at this symbol, which nothing defines`,
        ),
      );
    }
    const contents = this.contents();
    return writeElf({
      bits: this.bits,
      entry: start ?? 0n,
      sections: this.layout.sections.map((section) => ({
        name: section.name,
        type: section.type,
        flags: section.flags,
        address: section.flags & SHF.ALLOC ? section.address : 0n,
        loadAddress: section.loadAddress,
        alignment: section.alignment,
        bytes: section.type === SHT.NOBITS ? undefined : contents.get(section)!,
        size: section.size,
      })),
      symbols: this.symbols(),
    });
  }

  private add(object: ObjectFile): void {
    if (object.bits !== this.bits) {
      this.diagnostics.push(
        errorIn({ file: object.name, line: 1 }, `a ${object.bits}-bit object in a ${this.bits}-bit program`),
      );
      return;
    }
    this.program.add(object);
  }

  private addGot(): void {
    if (!collectGot(this.program, this.got)) return;
    const object = syntheticObject('global offset table', this.bits, '.got', this.got.size, this.bits / 8);
    this.program.add(object);
    this.got.section = this.program.sections.get(object)![0];
  }

  private addressOf(section: InputSection | undefined, value: bigint): bigint | undefined {
    if (!section) return value;
    if (!section.output) return undefined;
    return section.output.address + BigInt(section.offset) + value;
  }

  /** The address of a global name; undefined when nothing defines it. */
  private globalAddress(name: string): bigint | undefined {
    const definition = this.program.definitions.get(name);
    if (definition) return this.addressOf(definition.section, definition.symbol.value);
    return (
      this.layout.symbols.get(name)?.value ??
      this.options.absoluteSymbols?.get(name) ??
      this.boundary(name) ??
      (name === '_GLOBAL_OFFSET_TABLE_' ? this.got.address : undefined)
    );
  }

  /** `__start_NAME` and `__stop_NAME` of a section whose name is an identifier. */
  private boundary(name: string): bigint | undefined {
    const found = /^__(start|stop)_(\w+)$/.exec(name);
    const section = found && this.layout.sections.find((output) => output.name === found[2]);
    if (!section) return undefined;
    return section.address + (found[1] === 'stop' ? BigInt(section.size) : 0n);
  }

  private contents(): Map<OutputSection, Uint8Array> {
    const contents = new Map<OutputSection, Uint8Array>();
    const thread = this.layout.sections.filter(({ flags }) => flags & SHF.TLS);
    const threadStart = thread[0]?.address;
    const last = thread.at(-1);
    const alignment = BigInt(Math.max(1, ...thread.map((section) => section.alignment)));
    const threadEnd = last && ((last.address + BigInt(last.size) + alignment - 1n) / alignment) * alignment;
    const context: RelocationContext = {
      program: this.program,
      got: this.got,
      threadStart,
      threadEnd,
      diagnostics: this.diagnostics,
      resolve: (object, symbol, relocation, section) => this.resolve(object, symbol, relocation, section),
    };
    for (const section of this.layout.sections) {
      if (section.type === SHT.NOBITS) continue;
      const bytes = new Uint8Array(section.size);
      // What alignment leaves free in code is no-operations.
      if (section.flags & SHF.EXECINSTR) bytes.fill(0x90);
      for (const { offset, size, value } of section.data) write(bytes, offset, size, value);
      for (const input of section.inputs) if (input.type !== SHT.NOBITS) relocateInput(input, bytes, context);
      contents.set(section, bytes);
    }
    this.fillGot(contents, threadEnd);
    return contents;
  }

  private fillGot(contents: Map<OutputSection, Uint8Array>, threadEnd: bigint | undefined): void {
    const { section } = this.got;
    if (!section?.output) return;
    const bytes = contents.get(section.output)!;
    for (const [key, slot] of this.got.slots) {
      const [kind, scope] = key.split(' ');
      const address = this.gotTarget(scope) ?? 0n;
      const value = kind === 'tp' ? address - (threadEnd ?? 0n) : address;
      write(bytes, section.offset + slot, this.bits / 8, value);
    }
  }

  private gotTarget(scope: string): bigint | undefined {
    const local = /^(.*)#(\d+)$/.exec(scope);
    if (!local) return this.globalAddress(scope);
    const object = this.program.objects.find(({ name }) => name === local[1]);
    return object && this.symbolAddress(object, Number(local[2]));
  }

  private symbolAddress(object: ObjectFile, index: number): bigint | undefined {
    const symbol = object.symbols[index];
    if (symbol.binding !== STB.LOCAL) return this.globalAddress(symbol.name);
    if (symbol.section === 'absolute') return symbol.value;
    if (typeof symbol.section !== 'number') return undefined;
    const section = this.program.sections.get(object)![symbol.section];
    return section && this.addressOf(section, symbol.value);
  }

  private resolve(
    object: ObjectFile,
    index: number,
    relocation: Relocation,
    section: number,
  ): ResolvedSymbol | undefined {
    if (index < 0) return { name: '', address: 0n, size: 0n };
    const symbol = object.symbols[index];
    const address = this.symbolAddress(object, index);
    const { name, size } = symbol;
    if (address !== undefined) {
      const definition = this.program.definitions.get(name);
      return { name, address, size: definition?.symbol.size ?? size };
    }
    if (symbol.binding === STB.WEAK) return { name, address: 0n, size: 0n };
    // Debug information may tell of code that is not linked.
    if (!(object.sections[section].flags & SHF.ALLOC)) return { name, address: 0n, size: 0n };
    this.reportUndefined(object, name, relocation, section);
    return undefined;
  }

  private reportUndefined(object: ObjectFile, name: string, { offset }: Relocation, section: number): void {
    const place = placeAt(object, section, offset);
    const key = `${place.file}:${place.line}:${place.column}:${name}`;
    if (this.reported.has(key)) return;
    this.reported.add(key);
    const where = place.line > 0 ? '' : `${describeOffset(object, section, offset)}: `;
    this.diagnostics.push(errorIn(place, `${where}undefined symbol '${name}'`));
  }

  private symbols(): ElfSymbolInput[] {
    const list: ElfSymbolInput[] = [];
    const { sections } = this.layout;
    const indexOf = new Map(sections.map((section, index) => [section, index]));
    for (const object of this.program.objects) {
      const inputs = this.program.sections.get(object)!;
      for (const symbol of object.symbols) {
        if (symbol.type === STT.SECTION || symbol.name === '' || symbol.name.startsWith('.L')) continue;
        const definition =
          symbol.binding === STB.LOCAL ? undefined : this.program.definitions.get(symbol.name);
        if (symbol.binding !== STB.LOCAL && definition?.symbol !== symbol) continue;
        const input = typeof symbol.section === 'number' ? inputs[symbol.section] : undefined;
        if (typeof symbol.section === 'number' && !input?.output) continue;
        const value = this.addressOf(input, symbol.value);
        // What stands in an empty section has an address, but no section in the file.
        const section = (input && indexOf.get(input.output!)) ?? 'absolute';
        if (value === undefined) continue;
        const { name, size, binding, type, visibility } = symbol;
        list.push({ name, value, size, binding, type, visibility, section });
      }
    }
    for (const [name, { value, isHidden, section }] of this.layout.symbols) {
      const index = section && indexOf.get(section);
      list.push({
        name,
        value,
        size: 0n,
        binding: isHidden ? STB.LOCAL : STB.GLOBAL,
        type: STT.NOTYPE,
        visibility: STV.DEFAULT,
        section: index ?? 'absolute',
      });
    }
    for (const name of this.program.undefinedNames) {
      const value = this.options.absoluteSymbols?.get(name);
      if (value === undefined) continue;
      const fixed = { type: STT.NOTYPE, visibility: STV.DEFAULT, section: 'absolute' } as const;
      list.push({ name, value, size: 0n, binding: STB.GLOBAL, ...fixed });
    }
    return list;
  }
}
