import { SHF, SHT } from '../elf/constants.js';
import type { InputSection, OutputSection, Program } from './resolve.js';
import type {
  Assignment,
  InputPattern,
  LinkerScript,
  OutputSectionCommand,
  ScriptCommand,
} from './script.js';
import { alignUp, evaluateScript } from './scriptExpression.js';
import type { ScriptExpression, ScriptScope } from './scriptExpression.js';
import { ScriptError } from './scriptLexer.js';

/** A symbol that the script defines. */
export interface ScriptSymbol {
  readonly value: bigint;
  readonly isHidden: boolean;
  /** The output section that it was assigned in. */
  readonly section: OutputSection | undefined;
}

export interface Layout {
  /** In the order of their addresses; those without one at the end. */
  readonly sections: readonly OutputSection[];
  readonly symbols: ReadonlyMap<string, ScriptSymbol>;
}

const MAX_PASSES = 20;
const DISCARD = '/DISCARD/';
const SIZE_OF_HEADERS = 0x1000n;

/**
 * Gives every section its place as the script says; sections that it does not name follow those of their kind.
 * @throws ScriptError
 */
export function layOutProgram(
  program: Program,
  script: LinkerScript,
  resolve: (name: string) => bigint | undefined,
): Layout {
  return new ProgramLayout(program, script, resolve).run();
}

class ProgramLayout {
  private readonly outputs = new Map<OutputSectionCommand, OutputSection>();
  private readonly placed = new Map<string, OutputSection>();
  private readonly contents = new Map<OutputSection, Map<InputPattern, InputSection[]>>();
  private readonly orphans: OutputSection[] = [];
  private readonly loose: OutputSection[] = [];
  /** Sections that no pattern of their namesake in the script takes: they stand at its end. */
  private readonly appended = new Map<OutputSection, InputSection[]>();
  private symbols = new Map<string, ScriptSymbol>();
  private here = 0n;

  constructor(
    private readonly program: Program,
    private readonly script: LinkerScript,
    private readonly resolve: (name: string) => bigint | undefined,
  ) {}

  run(): Layout {
    this.assign();
    let before = '';
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      this.place();
      const now = this.fingerprint();
      if (now === before) return { sections: this.ordered(), symbols: this.symbols };
      before = now;
    }
    throw new ScriptError('the layout does not settle: an address depends on itself', 1);
  }

  private fingerprint(): string {
    const sections = [...this.placed.values()].map(({ address, size }) => `${address} ${size}`);
    const symbols = Array.from(this.symbols, ([name, { value }]) => `${name}=${value}`);
    return [...sections, ...symbols].join();
  }

  private ordered(): OutputSection[] {
    const kept = [...this.placed.values()].filter(({ size }) => size > 0);
    kept.sort((left, right) => (left.address < right.address ? -1 : left.address > right.address ? 1 : 0));
    return [...kept, ...this.loose];
  }

  /** Every input section to the first pattern that it fits. */
  private assign(): void {
    const inputs = this.program.objects.flatMap((object) =>
      this.program.sections.get(object)!.filter((section) => section !== undefined),
    );
    for (const command of this.script.commands)
      if (command.kind === 'section') this.assignTo(command, inputs);
    for (const input of inputs) if (!input.output) this.assignOrphan(input);
  }

  private assignTo(command: OutputSectionCommand, inputs: readonly InputSection[]): void {
    const output = newOutput(command.name);
    const byPattern = new Map<InputPattern, InputSection[]>();
    for (const pattern of command.content) {
      if (pattern.kind !== 'input') continue;
      const taken: InputSection[] = [];
      for (const { name, sort } of pattern.sections) {
        const matching = inputs.filter((input) => {
          const file = input.object.name;
          const isFile =
            pattern.files.test(file) && !pattern.excluded.some((excluded) => excluded.test(file));
          return !input.output && isFile && name.test(input.name);
        });
        if (sort === 'name')
          matching.sort((left, right) => (left.name < right.name ? -1 : left.name > right.name ? 1 : 0));
        if (sort === 'alignment') matching.sort((left, right) => right.alignment - left.alignment);
        for (const input of matching) {
          input.output = output;
          taken.push(input);
        }
      }
      byPattern.set(pattern, taken);
    }
    if (command.name === DISCARD) return;
    const existing = this.placed.get(command.name);
    if (existing) throw new ScriptError(`output section '${command.name}' stands twice`, command.line);
    for (const taken of byPattern.values()) for (const input of taken) addInput(output, input);
    if (command.isNoLoad) output.type = SHT.NOBITS;
    this.outputs.set(command, output);
    this.placed.set(command.name, output);
    this.contents.set(output, byPattern);
  }

  private assignOrphan(input: InputSection): void {
    const isAllocated = (input.flags & SHF.ALLOC) !== 0;
    const named = isAllocated ? this.placed.get(input.name) : undefined;
    if (named && !this.orphans.includes(named)) {
      input.output = named;
      addInput(named, input);
      this.appended.set(named, [...(this.appended.get(named) ?? []), input]);
      return;
    }
    const list = isAllocated ? this.orphans : this.loose;
    let output = list.find(({ name }) => name === input.name);
    if (!output) {
      output = newOutput(input.name);
      list.push(output);
      if (isAllocated) this.placed.set(input.name, output);
    }
    input.output = output;
    addInput(output, input);
    if (isAllocated) return;
    output.size = Math.ceil(output.size / input.alignment) * input.alignment;
    input.offset = output.size;
    output.size += input.size;
  }

  private place(): void {
    this.here = 0n;
    const commands = this.script.commands;
    const pending = new Set(this.orphans);
    commands.forEach((command, index) => {
      this.command(command);
      if (command.kind === 'section') this.placeOrphansAfter(command, commands.slice(index + 1), pending);
    });
    for (const orphan of pending) this.placeOrphan(orphan);
  }

  /** Orphans of a kind come behind the last section of that kind. */
  private placeOrphansAfter(
    command: OutputSectionCommand,
    rest: readonly ScriptCommand[],
    pending: Set<OutputSection>,
  ): void {
    const output = this.outputs.get(command);
    if (!output) return;
    const kinds = rest.flatMap((later) => {
      const section = later.kind === 'section' ? this.outputs.get(later) : undefined;
      return section ? [kindOf(section)] : [];
    });
    const kind = kindOf(output);
    if (kinds.includes(kind)) return;
    for (const orphan of pending) {
      if (kindOf(orphan) !== kind) continue;
      this.placeOrphan(orphan);
      pending.delete(orphan);
    }
  }

  private placeOrphan(output: OutputSection): void {
    // Rights differ by pages.
    this.here = alignUp(this.here, 0x1000n);
    this.start(output, alignUp(this.here, BigInt(output.alignment)), undefined);
    for (const input of output.inputs) this.input(output, input, 1);
    this.finish(output);
  }

  private command(command: ScriptCommand): void {
    if (command.kind === 'section') this.section(command);
    else if (command.kind === 'assignment') this.assignment(command, undefined);
    else this.assertion(command.test, command.message, command.line);
  }

  private section(command: OutputSectionCommand): void {
    const output = this.outputs.get(command);
    if (!output) return;
    const wanted = command.alignment ? this.evaluate(command.alignment) : 1n;
    if (output.inputs.length > 0) output.alignment = Math.max(output.alignment, Number(wanted));
    const address = command.address
      ? this.evaluate(command.address)
      : alignUp(this.here, wanted > BigInt(output.alignment) ? wanted : BigInt(output.alignment));
    this.start(output, address, command.loadAddress && this.evaluate(command.loadAddress));
    const subAlignment = command.subAlignment ? Number(this.evaluate(command.subAlignment)) : 1;
    const byPattern = this.contents.get(output)!;
    output.data.length = 0;
    for (const content of command.content) {
      switch (content.kind) {
        case 'input':
          for (const input of byPattern.get(content)!) this.input(output, input, subAlignment);
          break;
        case 'data': {
          const offset = Number(this.here - output.address);
          output.data.push({ offset, size: content.size, value: this.evaluate(content.value) });
          this.here += BigInt(content.size);
          output.flags |= SHF.ALLOC;
          if (output.inputs.length === 0) output.type = SHT.PROGBITS;
          break;
        }
        case 'assignment':
          this.assignment(content, output);
          break;
        case 'assertion':
          this.assertion(content.test, content.message, content.line);
      }
    }
    for (const input of this.appended.get(output) ?? []) this.input(output, input, subAlignment);
    this.finish(output);
  }

  private start(output: OutputSection, address: bigint, loadAddress: bigint | undefined): void {
    this.here = address;
    output.address = address;
    output.loadAddress = loadAddress ?? address;
  }

  private input(output: OutputSection, input: InputSection, subAlignment: number): void {
    this.here = alignUp(this.here, BigInt(Math.max(input.alignment, subAlignment)));
    input.offset = Number(this.here - output.address);
    this.here += BigInt(input.size);
  }

  private finish(output: OutputSection): void {
    output.size = Number(this.here - output.address);
    // An empty section leaves the location counter where it was, whatever its alignment is.
    if (output.size > 0 && output.inputs.length === 0) output.flags |= SHF.ALLOC;
  }

  private assignment(
    { name, value, isProvided, isHidden, line }: Assignment,
    section: OutputSection | undefined,
  ): void {
    if (name === '.') {
      const wanted = this.evaluate(value);
      const target = section && !mentionsHere(value) ? section.address + wanted : wanted;
      if (section && target < this.here)
        throw new ScriptError(`cannot move the location counter back to 0x${target.toString(16)}`, line);
      this.here = target;
      return;
    }
    const isWanted = this.program.undefinedNames.has(name) || this.symbols.has(name);
    if (isProvided && (this.program.definitions.has(name) || !isWanted)) return;
    this.symbols.set(name, { value: this.evaluate(value), isHidden, section });
  }

  private assertion(test: ScriptExpression, message: string, line: number): void {
    if (this.evaluate(test) === 0n) throw new ScriptError(message, line);
  }

  private evaluate(expression: ScriptExpression): bigint {
    const scope: ScriptScope = {
      here: this.here,
      symbol: (name) => this.symbols.get(name)?.value ?? this.resolve(name),
      isDefined: (name) => this.symbols.has(name) || this.program.definitions.has(name),
      section: (name) => {
        const output = this.placed.get(name);
        return (
          output && {
            address: output.address,
            loadAddress: output.loadAddress,
            size: BigInt(output.size),
            alignment: BigInt(output.alignment),
          }
        );
      },
      sizeOfHeaders: SIZE_OF_HEADERS,
    };
    return evaluateScript(expression, scope);
  }
}

/** In an output section a plain number assigned to `.` counts from the section's start. */
function mentionsHere(expression: ScriptExpression): boolean {
  switch (expression.kind) {
    case 'number':
      return false;
    case 'name':
      return true;
    case 'call':
      return expression.name !== 'SIZEOF';
    case 'unary':
      return mentionsHere(expression.operand);
    case 'binary':
      return mentionsHere(expression.left) || mentionsHere(expression.right);
    case 'conditional':
      return mentionsHere(expression.whenTrue) || mentionsHere(expression.whenFalse);
  }
}

function kindOf({ flags, type }: OutputSection): string {
  if (type === SHT.NOBITS) return 'bss';
  return flags & SHF.EXECINSTR ? 'code' : flags & SHF.WRITE ? 'data' : 'constant';
}

function newOutput(name: string): OutputSection {
  return {
    name,
    inputs: [],
    data: [],
    type: SHT.NOBITS,
    flags: 0,
    alignment: 1,
    address: 0n,
    loadAddress: 0n,
    size: 0,
  };
}

const KEPT_FLAGS = SHF.ALLOC | SHF.WRITE | SHF.EXECINSTR | SHF.TLS;

function addInput(output: OutputSection, input: InputSection): void {
  if (input.type !== SHT.NOBITS) {
    const isFirst = output.inputs.every(({ type }) => type === SHT.NOBITS);
    output.type = isFirst || output.type === input.type ? input.type : SHT.PROGBITS;
  }
  output.inputs.push(input);
  output.flags |= input.flags & KEPT_FLAGS;
  output.alignment = Math.max(output.alignment, input.alignment);
}
