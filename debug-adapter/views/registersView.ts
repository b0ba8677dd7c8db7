/** The body of `hyperstep/registers`: the registers of a frame in groups, with their meaning. */
import { SEGMENTS } from '../../emulator/cpu/layout.js';
import type { HyperstepRequests, RegisterGroup, RegisterRow } from '../protocol.js';
import type { FrameContext } from '../variables/frameContext.js';
import { hex } from '../variables/numberFormat.js';
import { RegisterList, segmentParts } from '../variables/registerContainers.js';
import { flagParts } from '../variables/registerNames.js';
import { registerDetail } from '../variables/registerText.js';
import { controlNames, generalNames } from '../variables/scopes.js';
import type { VariableStore } from '../variables/store.js';
import type { ViewState } from './viewState.js';

const DEBUG = ['dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'] as const;
const MSRS = [
  'fsbase', 'gsbase', 'kernelgsbase', 'star', 'lstar', 'cstar', 'fmask', 'tscaux', 'pat', 'apicbase',
  'sysentercs', 'sysenteresp', 'sysentereip', 'debugctl',
] as const; // prettier-ignore

/** Names by group, in the order of the view. */
function groupsOf(bits: 32 | 64): readonly (readonly [group: string, names: readonly string[]])[] {
  const general = generalNames(bits);
  const segments = [...SEGMENTS, 'gdtr', 'idtr'].flatMap((name) => Object.values(segmentParts(name)));
  return [
    ['General', general.filter((name) => !/^[er](ip|flags)$/.test(name))],
    ['Instruction pointer and flags', [...general.filter((name) => /^[er](ip|flags)$/.test(name)), 'cpl']],
    ['Flags', [...flagParts.keys()]],
    ['Control', [...controlNames, 'xcr0']],
    ['Segments', segments],
    ['Debug', DEBUG],
    ['Model-specific', MSRS],
  ];
}

/** Registers of a frame; those that it does not have (a guest that does not run has no CR2) are left out. */
export function registersView(
  context: FrameContext,
  store: VariableStore,
  views: ViewState,
): HyperstepRequests['hyperstep/registers']['body'] {
  const { frame, debuggee } = context;
  const groups = groupsOf(frame.bits).map(([name, names]): RegisterGroup => {
    // The names are those that setVariable takes; one handle for the whole group.
    const variablesReference = store.referenceOf(new RegisterList(names, context));
    const registers = names.flatMap((register): RegisterRow[] => {
      const value = frame.registers.read(register)?.value;
      if (value === undefined) return [];
      const text = hex(value);
      const changed = views.isRegisterChanged(frame, register, value);
      return [
        {
          name: register,
          value: text,
          changed,
          detail: detailOf(register, value, context),
          variablesReference,
        },
      ];
    });
    return { name, registers };
  });
  const isHost = frame.world === 'root' && debuggee.launch.host !== undefined;
  const world = frame.world === 'guest' ? 'guest' : isHost ? 'host' : 'bare metal';
  return { world, groups: groups.filter(({ registers }) => registers.length > 0) };
}

/** The bits of a register in words; of an instruction pointer or another address the symbol there. */
function detailOf(register: string, value: bigint, { debuggee, frame }: FrameContext): string | undefined {
  if (!/^[er]ip$/.test(register)) return registerDetail(register.replace(/^eflags$/, 'rflags'), value);
  const symbol = debuggee.imageAt(frame.world, frame.pc)?.debugInfo.symbolAt(frame.pc);
  return symbol && `${symbol.name}+${hex(frame.pc - symbol.address)}`;
}
