/** *Reload hypercall handlers*: a changed file goes into the running machine, the guest is not restarted. */
import type { Diagnostic } from '../../toolchain/diagnostic.js';
import type { Platform } from '../../toolchain/platform.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import { physicalAddress, wordAt } from '../launch/elfBytes.js';
import type { HandlersImage, HandlersMailbox } from '../launch/handlersImage.js';
import {
  buildHandlers,
  findMailbox,
  freeSlot,
  installHandlers,
  physicalWriter,
} from '../launch/handlersImage.js';
import { HANDLERS_SIZE, HANDLER_SLOTS, HandlersOffset } from '../launch/hostContract.js';
import type { DebugInfo } from '../../toolchain/debuginfo/debugInfo.js';

type HostWriter = Parameters<typeof installHandlers>[3];

export type ReloadResult =
  | { readonly kind: 'reloaded'; readonly handlers: HandlersImage }
  /** The old handlers stay in force. */
  | { readonly kind: 'failed'; readonly diagnostics: readonly Diagnostic[] };

/**
 * Compiles the session's handlers file again and gives it to the host, which takes it over at its next VM exit. A file
 * that does not compile changes nothing. May be called while the machine runs: it runs in slices on this thread, so
 * what stands between two awaits finds it paused.
 */
export async function reloadHandlers(debuggee: Debuggee, platform: Platform): Promise<ReloadResult> {
  const { host, arguments: args, includeFolders } = debuggee.launch;
  if (!args.handlers || !host) {
    return failed(args.program, 'nothing to reload: the launch configuration names no "handlers" file');
  }
  const file = platform.resolvePath(...(args.cwd ? [args.cwd] : []), args.handlers);
  const mailbox = findMailbox(host.debugInfo);
  if (!mailbox) return failed(file, `the host ${host.path} takes no handlers`);
  const slot = freeSlot(readMailbox(debuggee, mailbox, host.debugInfo));
  if (slot === undefined) {
    return failed(file, `all ${HANDLER_SLOTS} slots of the host hold handlers that vCPUs are inside of`);
  }
  const handlers = await buildHandlers({
    file,
    host: host.debugInfo,
    hostElfPath: host.path,
    slot,
    includeFolders,
    platform,
  });
  if ('diagnostics' in handlers) return { kind: 'failed', diagnostics: handlers.diagnostics };

  const now = readMailbox(debuggee, mailbox, host.debugInfo);
  // Another reload filled the slot while this one compiled.
  if (freeSlot(now) !== slot) return reloadHandlers(debuggee, platform);
  const generation = wordAt(now, HandlersOffset.generation) + 1n;
  installHandlers(handlers, mailbox, generation, hostWriter(debuggee, mailbox, host.debugInfo));
  debuggee.addHandlers(handlers);
  return { kind: 'reloaded', handlers };
}

function failed(file: string, message: string): ReloadResult {
  return {
    kind: 'failed',
    diagnostics: [{ severity: 'error', file, line: 1, column: 1, endColumn: 2, message }],
  };
}

function readMailbox(debuggee: Debuggee, mailbox: HandlersMailbox, host: DebugInfo): Uint8Array {
  const { machine } = debuggee;
  const bytes = machine.readLinear(mailbox.mailbox, HANDLERS_SIZE, debuggee.rootTranslation);
  if (bytes.length === HANDLERS_SIZE) return bytes;
  const physical = physicalAddress(host.elf, mailbox.mailbox);
  if (physical === undefined) throw new Error(`the mailbox of ${host.fileName} lies outside of its image`);
  return machine.readPhysical(physical, HANDLERS_SIZE);
}

/** Through the host's page tables; by its program headers as long as it has none. */
function hostWriter(debuggee: Debuggee, mailbox: HandlersMailbox, host: DebugInfo): HostWriter {
  const { machine, rootTranslation } = debuggee;
  if (machine.readLinear(mailbox.mailbox, HANDLERS_SIZE, rootTranslation).length < HANDLERS_SIZE) {
    return physicalWriter(machine, host);
  }
  return (address, bytes) => {
    if (machine.writeLinear(address, bytes, rootTranslation) < bytes.length) {
      throw new Error(`the host's memory at 0x${address.toString(16)} is not mapped`);
    }
  };
}
