import { DW_EH_PE, dwarfRegister } from './callFrames.js';
import type { DirectiveArguments } from './directiveArguments.js';
import type { Directive } from './directives.js';
import type { Assembly } from './assembly.js';
import { registerByName } from './instructionTable.js';
import { AssemblyError } from './source.js';

/** A register by its name or by its DWARF number. */
function register(assembly: Assembly, args: DirectiveArguments): number {
  const token = args.reader.peek();
  const isName =
    token?.kind === 'register' || (token?.kind === 'name' && registerByName(token.text.toLowerCase()));
  if (!token || !isName) return args.number();
  args.reader.next();
  const number = dwarfRegister(token.text.toLowerCase(), assembly.options.bits);
  if (number === undefined)
    throw new AssemblyError(`register '${token.text}' has no DWARF number`, token.start, token.end);
  return number;
}

function offset(args: DirectiveArguments): bigint {
  return BigInt(args.number());
}

type Action = (assembly: Assembly, args: DirectiveArguments) => void;

const comma = (args: DirectiveArguments): void => args.reader.expect(',');

/** `register, offset` */
const withOffset =
  (method: 'defineCfa' | 'offset' | 'relativeOffset' | 'valueOffset'): Action =>
  (assembly, args) => {
    const number = register(assembly, args);
    comma(args);
    assembly.callFrames[method](assembly.chunk.here(), number, offset(args));
  };

const withRule =
  (rule: 'restore' | 'undefined' | 'same_value'): Action =>
  (assembly, args) => {
    do assembly.callFrames.registerRule(assembly.chunk.here(), rule, register(assembly, args));
    while (args.reader.accept(','));
  };

/** `encoding, symbol` */
const pointer =
  (name: 'personality' | 'lsda'): Action =>
  (assembly, args) => {
    const encoding = args.number();
    const value = args.reader.accept(',') ? args.expression() : undefined;
    if (encoding !== DW_EH_PE.omit && !value) throw new AssemblyError('expected a symbol', args.from);
    assembly.callFrames.current()[name] = { encoding, value };
  };

const ACTIONS: Readonly<Record<string, Action>> = {
  startproc: (assembly, args) => {
    const isSimple = args.text === 'simple';
    if (isSimple) args.reader.next();
    assembly.callFrames.start(assembly.chunk.here(), args.source, assembly.options.bits, isSimple);
  },
  endproc: (assembly) => assembly.callFrames.finish(assembly.chunk.here()),
  def_cfa: withOffset('defineCfa'),
  def_cfa_register: (assembly, args) =>
    assembly.callFrames.defineCfaRegister(assembly.chunk.here(), register(assembly, args)),
  def_cfa_offset: (assembly, args) =>
    assembly.callFrames.defineCfaOffset(assembly.chunk.here(), offset(args)),
  adjust_cfa_offset: (assembly, args) =>
    assembly.callFrames.adjustCfaOffset(assembly.chunk.here(), offset(args)),
  offset: withOffset('offset'),
  rel_offset: withOffset('relativeOffset'),
  val_offset: withOffset('valueOffset'),
  register: (assembly, args) => {
    const from = register(assembly, args);
    comma(args);
    assembly.callFrames.moved(assembly.chunk.here(), from, register(assembly, args));
  },
  restore: withRule('restore'),
  undefined: withRule('undefined'),
  same_value: withRule('same_value'),
  remember_state: (assembly) => assembly.callFrames.rememberState(assembly.chunk.here()),
  restore_state: (assembly) => assembly.callFrames.restoreState(assembly.chunk.here()),
  return_column: (assembly, args) => {
    assembly.callFrames.current().returnColumn = register(assembly, args);
  },
  signal_frame: (assembly) => {
    assembly.callFrames.current().isSignal = true;
  },
  escape: (assembly, args) => {
    const bytes: number[] = [];
    do bytes.push(args.number() & 0xff);
    while (args.reader.accept(','));
    assembly.callFrames.escape(assembly.chunk.here(), Uint8Array.from(bytes));
  },
  personality: pointer('personality'),
  lsda: pointer('lsda'),
  sections: (assembly, args) => {
    const names = args.parts().map(({ text }) => text);
    const bad = names.find((name) => name !== '.eh_frame' && name !== '.debug_frame');
    if (bad !== undefined) throw new AssemblyError(`no frame table '${bad}'`, args.from);
    assembly.callFrames.targets = names as ('.eh_frame' | '.debug_frame')[];
    while (args.reader.next());
  },
};

/** `.cfi_*`: the tables that unwinders read (GNU as, "CFI directives"). */
export const frameDirectives: Readonly<Record<string, Directive>> = Object.fromEntries(
  Object.entries(ACTIONS).map(([name, action]) => [
    `.cfi_${name}`,
    (assembly: Assembly, args: DirectiveArguments): void => {
      action(assembly, args);
      args.end();
    },
  ]),
);
