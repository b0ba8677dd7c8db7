/** The command line's contract: `hyperstep run|trace|exits|vmcs PROGRAM [options]`. */
import { parseArgs } from 'node:util';
import { MAX_VCPUS } from '../debug-adapter/protocol.js';
import { parseSize } from '../emulator/machine/parseSize.js';

export const COMMANDS = ['run', 'trace', 'exits', 'vmcs'] as const;
export type CommandName = (typeof COMMANDS)[number];

export interface CommandLine {
  readonly command: CommandName;
  readonly program: string;
  readonly host: string;
  readonly handlers: string | undefined;
  readonly vcpus: number;
  /** As the user wrote it, checked. */
  readonly memory: string;
  readonly mode: 'long' | 'protected' | undefined;
  readonly modules: readonly string[];
  readonly append: string;
  readonly time: 'fast' | 'real';
  /** Infinity when there is no limit. */
  readonly maxInstructions: number;
  /** `vmcs`: which VM entry, from 1; undefined: the first that fails, or else the last. */
  readonly atEntry: number | undefined;
  /** `vmcs`: a line for each VMREAD and VMWRITE. */
  readonly accesses: boolean;
  readonly json: boolean;
  /** Compiled code is compared with the interpreter. */
  readonly checkCompiler: boolean;
}

export const USAGE = `usage: hyperstep run|trace|exits|vmcs PROGRAM [options]

  run      run PROGRAM; the serial port is standard output
  trace    a line for each hypercall
  exits    count and virtual time of each VM-exit reason
  vmcs     the VMCS of a VM entry, and why it would or would not enter

PROGRAM is a .S, .asm, .c or ELF file.

  --host kvm|none|FILE     who answers (default kvm; none: bare metal)
  --handlers FILE.c        own hypercall handlers
  --vcpus N                virtual processors (default 1)
  --memory SIZE            guest memory (default 64M)
  --mode long|protected    how the guest is started (default long)
  --module FILE            another multiboot module; may be repeated
  --append ARGS            words for the command line of the host or program
  --time fast|real         idle time jumps (default) or passes as on a clock
  --max-instructions N     stop with status 75 after N instructions
  --at-entry N             vmcs: the Nth VM entry (default: the first that fails, or else the last)
  --accesses               vmcs: a line for each VMREAD and VMWRITE instead
  --check-compiler         compare compiled code with the interpreter, which is slow
  --json                   trace, exits, vmcs: JSON Lines

Exit status: (V << 1) | 1 for a value V written to port 0xf4, 0 for a guest that shuts down otherwise,
70 for a triple fault, a refused VM entry or something the machine does not implement, 75 for a limit,
255 for a host that cannot go on with its guest, 2 for a wrong command line, 1 for a program, host or handlers
file that cannot be built or loaded.`;

/** A wrong command line: the message says which word. */
export class UsageError extends Error {}

const MODES = ['long', 'protected'] as const;
const TIMES = ['fast', 'real'] as const;

const OPTIONS = {
  host: { type: 'string', default: 'kvm' },
  handlers: { type: 'string' },
  vcpus: { type: 'string', default: '1' },
  memory: { type: 'string', default: '64M' },
  mode: { type: 'string' },
  module: { type: 'string', multiple: true },
  append: { type: 'string', default: '' },
  time: { type: 'string', default: 'fast' },
  'max-instructions': { type: 'string' },
  'at-entry': { type: 'string' },
  accesses: { type: 'boolean', default: false },
  'check-compiler': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Parses the words behind `hyperstep`; undefined when help was asked for. Throws UsageError. */
export function parseCommandLine(words: readonly string[]): CommandLine | undefined {
  const { values, positionals } = parse(words);
  if (values.help) return undefined;
  const [command, program, ...rest] = positionals;
  if (command === undefined) throw new UsageError('a command is missing: run, trace, exits or vmcs');
  if (!isCommand(command)) throw new UsageError(`unknown command '${command}': run, trace, exits or vmcs`);
  if (program === undefined) throw new UsageError(`${command}: the PROGRAM is missing`);
  if (rest.length > 0) throw new UsageError(`one PROGRAM only, not also '${rest[0]}'`);
  if (values.json && command === 'run') throw new UsageError('--json goes with trace, exits and vmcs');
  if (values['at-entry'] !== undefined && command !== 'vmcs')
    throw new UsageError('--at-entry goes with vmcs');
  if (values.accesses && command !== 'vmcs') throw new UsageError('--accesses goes with vmcs');
  if (parseSize(values.memory) === undefined)
    throw new UsageError(`--memory ${values.memory}: not a size such as 64M`);
  return {
    command,
    program,
    host: values.host,
    handlers: values.handlers,
    vcpus: wholeNumber('--vcpus', values.vcpus, 1, MAX_VCPUS),
    memory: values.memory,
    mode: values.mode === undefined ? undefined : oneOf('--mode', values.mode, MODES),
    modules: values.module ?? [],
    append: values.append,
    time: oneOf('--time', values.time, TIMES),
    maxInstructions:
      values['max-instructions'] === undefined
        ? Infinity
        : wholeNumber('--max-instructions', values['max-instructions'], 1, Number.MAX_SAFE_INTEGER),
    atEntry:
      values['at-entry'] === undefined
        ? undefined
        : wholeNumber('--at-entry', values['at-entry'], 1, Number.MAX_SAFE_INTEGER),
    accesses: values.accesses,
    json: values.json,
    checkCompiler: values['check-compiler'],
  };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function isCommand(word: string): word is CommandName {
  return COMMANDS.some((command) => command === word);
}

function oneOf<Choice extends string>(option: string, value: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new UsageError(`${option} ${value}: one of ${choices.join(', ')}`);
  return found;
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new UsageError(`${option} ${text}: a whole number from ${least}${most < 1e6 ? ` to ${most}` : ''}`);
  }
  return value;
}
