/** Builds and encodes a WebAssembly module (core specification 5.5). */
import { ByteBuffer } from './byteBuffer.js';
import type { ValueType } from './expression.js';
import type { FunctionBuilder } from './functionBuilder.js';

const Section = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const ExternalKind = { function: 0, table: 1, memory: 2 } as const;
const FUNCREF = 0x70;
const FUNCTION_TYPE = 0x60;
const HAS_MAXIMUM = 1;

interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}
interface FunctionImport {
  readonly module: string;
  readonly name: string;
  readonly type: number;
}
interface DefinedFunction {
  readonly body: FunctionBuilder;
  readonly type: number;
  readonly exportName: string | undefined;
}
interface MemoryImport {
  readonly module: string;
  readonly name: string;
  /** In pages of 64 KiB. */
  readonly minimum: number;
  readonly maximum: number;
}
interface TableImport {
  readonly module: string;
  readonly name: string;
  readonly minimum: number;
}

const same = (a: readonly ValueType[], b: readonly ValueType[]) =>
  a.length === b.length && a.every((type, index) => type === b[index]);

export class ModuleBuilder {
  private readonly types: FunctionType[] = [];
  private readonly imports: FunctionImport[] = [];
  private readonly functions: DefinedFunction[] = [];
  private memory: MemoryImport | undefined;
  private table: TableImport | undefined;

  /** Index of a function type, added when it is new. */
  type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const known = this.types.findIndex(
      (type) => same(type.parameters, parameters) && same(type.results, results),
    );
    if (known >= 0) return known;
    this.types.push({ parameters, results });
    return this.types.length - 1;
  }

  importMemory(module: string, name: string, minimum: number, maximum: number): void {
    this.memory = { module, name, minimum, maximum };
  }

  importTable(module: string, name: string, minimum: number): void {
    this.table = { module, name, minimum };
  }

  /** Index of an imported function. All imports come before the first `add`. */
  importFunction(
    module: string,
    name: string,
    parameters: readonly ValueType[],
    results: readonly ValueType[],
  ): number {
    if (this.functions.length > 0) throw new Error('imports come before functions');
    this.imports.push({ module, name, type: this.type(parameters, results) });
    return this.imports.length - 1;
  }

  /** Adds a function, exported when it has a name; answers its index. */
  add(body: FunctionBuilder, exportName?: string): number {
    this.functions.push({ body, type: this.type(body.parameters, body.results), exportName });
    return this.imports.length + this.functions.length - 1;
  }

  encode(): Uint8Array<ArrayBuffer> {
    const module = new ByteBuffer();
    module.append(new Uint8Array([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    const section = (id: number, write: (content: ByteBuffer) => void) => {
      const content = new ByteBuffer();
      write(content);
      module.byte(id);
      module.unsigned(content.length);
      module.append(content);
    };
    section(Section.type, (content) => this.writeTypes(content));
    section(Section.import, (content) => this.writeImports(content));
    section(Section.function, (content) => {
      content.unsigned(this.functions.length);
      for (const { type } of this.functions) content.unsigned(type);
    });
    section(Section.export, (content) => this.writeExports(content));
    const bodies = this.functions.map(({ body }) => body.encode());
    if (bodies.some(({ unlikely }) => unlikely.length > 0)) {
      section(Section.custom, (content) => this.writeHints(content, bodies));
    }
    section(Section.code, (content) => {
      content.unsigned(bodies.length);
      for (const { body } of bodies) {
        content.unsigned(body.length);
        content.append(body);
      }
    });
    return module.toBytes();
  }

  /** Branch hints (WebAssembly branch hinting proposal): engines that do not know the section skip it. */
  private writeHints(content: ByteBuffer, bodies: readonly { readonly unlikely: readonly number[] }[]): void {
    const hinted = bodies
      .map(({ unlikely }, index) => ({ unlikely, index: index + this.imports.length }))
      .filter(({ unlikely }) => unlikely.length > 0);
    content.name('metadata.code.branch_hint');
    content.unsigned(hinted.length);
    for (const { unlikely, index } of hinted) {
      content.unsigned(index);
      content.unsigned(unlikely.length);
      for (const offset of unlikely) {
        content.unsigned(offset);
        content.unsigned(1);
        content.byte(0);
      }
    }
  }

  private writeTypes(content: ByteBuffer): void {
    content.unsigned(this.types.length);
    for (const { parameters, results } of this.types) {
      content.byte(FUNCTION_TYPE);
      for (const list of [parameters, results]) {
        content.unsigned(list.length);
        for (const type of list) content.byte(type);
      }
    }
  }

  private writeImports(content: ByteBuffer): void {
    const { memory, table } = this;
    content.unsigned(this.imports.length + (memory ? 1 : 0) + (table ? 1 : 0));
    if (memory) {
      content.name(memory.module);
      content.name(memory.name);
      content.byte(ExternalKind.memory);
      content.byte(HAS_MAXIMUM);
      content.unsigned(memory.minimum);
      content.unsigned(memory.maximum);
    }
    if (table) {
      content.name(table.module);
      content.name(table.name);
      content.byte(ExternalKind.table);
      content.byte(FUNCREF);
      content.byte(0);
      content.unsigned(table.minimum);
    }
    for (const { module, name, type } of this.imports) {
      content.name(module);
      content.name(name);
      content.byte(ExternalKind.function);
      content.unsigned(type);
    }
  }

  private writeExports(content: ByteBuffer): void {
    const exported = this.functions
      .map(({ exportName }, index) => ({ exportName, index: index + this.imports.length }))
      .filter(({ exportName }) => exportName !== undefined);
    content.unsigned(exported.length);
    for (const { exportName, index } of exported) {
      content.name(exportName ?? '');
      content.byte(ExternalKind.function);
      content.unsigned(index);
    }
  }
}
