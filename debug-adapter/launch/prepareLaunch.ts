/** From launch arguments to a machine with its programs loaded: what the debugger and the command line share. */
import { createMachine } from '../../emulator/machine/machine.js';
import type { Machine } from '../../emulator/machine/machineTypes.js';
import { findMultibootHeader } from '../../emulator/machine/loaders/multiboot.js';
import { ImageError } from '../../emulator/machine/loaders/imageError.js';
import { parseSize } from '../../emulator/machine/parseSize.js';
import { buildGuest } from '../../toolchain/buildGuest.js';
import { DebugInfo } from '../../toolchain/debuginfo/debugInfo.js';
import type { Diagnostic } from '../../toolchain/diagnostic.js';
import type { Platform } from '../../toolchain/platform.js';
import { FormatError } from '../../toolchain/elf/byteReader.js';
import type { HyperstepLaunchArguments } from '../protocol.js';
import { MAX_VCPUS } from '../protocol.js';
import type { HandlersImage } from './handlersImage.js';
import { buildHandlers, findMailbox, installHandlers, physicalWriter } from './handlersImage.js';

/** RAM that a host has beside its guest's memory. */
const HOST_MEMORY = 32 * 2 ** 20;
const DEFAULT_MEMORY = '64M';
/** Above it lie devices: RAM of the machine ends here. */
const MAX_MACHINE_MEMORY = 3.5 * 2 ** 30;

export interface PreparedLaunch {
  readonly machine: Machine;
  readonly arguments: HyperstepLaunchArguments;
  /** Undefined on bare metal: then the guest's symbols belong to the root world. */
  readonly host: { readonly debugInfo: DebugInfo; readonly path: string } | undefined;
  readonly guest: { readonly debugInfo: DebugInfo; readonly path: string };
  readonly handlers: HandlersImage | undefined;
  readonly includeFolders: readonly string[];
  readonly warnings: readonly Diagnostic[];
}

/** What went wrong: errors with their places. */
export interface FailedLaunch {
  readonly diagnostics: readonly Diagnostic[];
}

export interface LaunchContext {
  readonly platform: Platform;
  /** The folder of the installed extension or clone: holds dist/hypervisors and hypervisors/include. */
  readonly installFolder: string;
  readonly onProgress?: (message: string) => void;
  /** See `MachineOptions`. */
  readonly checkCompiler?: boolean;
}

export const isFailed = (launch: PreparedLaunch | FailedLaunch): launch is FailedLaunch =>
  'diagnostics' in launch;

/** Builds the guest and its handlers, makes the machine. Bad input becomes diagnostics; nothing is thrown for it. */
export async function prepareLaunch(
  args: HyperstepLaunchArguments,
  context: LaunchContext,
): Promise<PreparedLaunch | FailedLaunch> {
  const { platform, checkCompiler } = context;
  const resolve = (path: string): string => platform.resolvePath(...(args.cwd ? [args.cwd] : []), path);
  const program = resolve(args.program);
  const fail = (message: string, file = program): FailedLaunch => ({
    diagnostics: [{ severity: 'error', file, line: 1, column: 1, endColumn: 2, message }],
  });
  const memory = parseSize(args.memory ?? DEFAULT_MEMORY);
  if (memory === undefined) return fail(`"memory": "${args.memory}" is not a size such as 64M`);
  const hostPath = hostImagePath(args.host ?? 'kvm', context, resolve);
  const mostMemory = MAX_MACHINE_MEMORY - (hostPath === undefined ? 0 : HOST_MEMORY);
  if (memory < 2 ** 20 || memory > mostMemory || memory % 0x1_0000 !== 0)
    return fail(`"memory": ${args.memory} is not from 1M to ${mostMemory / 2 ** 20}M in steps of 64K`);
  const vcpus = args.vcpus ?? 1;
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > MAX_VCPUS)
    return fail(`"vcpus": ${vcpus} is not a whole number from 1 to ${MAX_VCPUS}`);

  const mode: unknown = args.mode ?? 'long';
  if (mode !== 'long' && mode !== 'protected')
    return fail(`"mode": "${String(mode)}" is neither long nor protected`);

  const includeFolders = [
    platform.resolvePath(context.installFolder, 'hypervisors/include'),
    ...(args.includeFolders ?? []).map(resolve),
  ];
  const built = await buildGuest({
    program,
    mode,
    includeFolders,
    platform,
    onProgress: context.onProgress,
  });
  if ('diagnostics' in built) return built;

  const modules: { name: string; bytes: Uint8Array }[] = [];
  for (const name of args.modules ?? []) {
    const bytes = await platform.readFile(resolve(name));
    if (!bytes) return fail(`module '${name}' does not exist`, resolve(name));
    modules.push({ name, bytes });
  }
  try {
    const guest = { debugInfo: debugInfoOf(built.elf, built.path), path: built.path };
    const common = { arguments: args, guest, includeFolders };
    if (hostPath === undefined) {
      if (args.handlers) return fail('"handlers" need a host: they do not go with "host": "none"');
      const machine = createMachine({
        memorySize: memory,
        processors: vcpus,
        image: built.elf,
        imageName: built.path,
        mode: args.mode,
        commandLine: args.append,
        modules,
        checkCompiler,
      });
      return { ...common, machine, host: undefined, handlers: undefined, warnings: built.warnings };
    }
    const hostElf = await platform.readFile(hostPath);
    if (!hostElf) return fail(missingHost(args.host ?? 'kvm', hostPath), hostPath);
    const host = { debugInfo: debugInfoOf(hostElf, hostPath), path: hostPath };
    if (!findMultibootHeader(hostElf)) return fail('not a host: it has no multiboot header', hostPath);
    const machine = createMachine({
      memorySize: memory + HOST_MEMORY + spaceFor([built.elf, ...modules.map(({ bytes }) => bytes)]),
      image: hostElf,
      imageName: hostPath,
      commandLine: hostCommandLine(args, memory),
      modules: [{ name: built.path, bytes: built.elf }, ...modules],
      checkCompiler,
    });
    const launch = { ...common, machine, host, warnings: built.warnings };
    if (!args.handlers) return { ...launch, handlers: undefined };
    context.onProgress?.(`Compiling ${args.handlers}`);
    const handlers = await buildHandlers({
      file: resolve(args.handlers),
      host: host.debugInfo,
      hostElfPath: hostPath,
      slot: 0,
      includeFolders,
      platform,
    });
    if ('diagnostics' in handlers) return handlers;
    const mailbox = findMailbox(host.debugInfo)!;
    installHandlers(handlers, mailbox, 1n, physicalWriter(machine, host.debugInfo));
    return { ...launch, handlers, warnings: [...built.warnings, ...handlers.warnings] };
  } catch (error) {
    if (error instanceof ImageError) return fail(error.reason, error.imageName);
    throw error;
  }
}

/** Throws ImageError for a malformed file. */
function debugInfoOf(elf: Uint8Array, path: string): DebugInfo {
  try {
    return DebugInfo.load(elf, path);
  } catch (error) {
    if (error instanceof Error && error.cause instanceof FormatError)
      throw new ImageError(path, error.cause.message);
    throw error;
  }
}

/** Undefined for bare metal. */
function hostImagePath(
  host: string,
  context: LaunchContext,
  resolve: (path: string) => string,
): string | undefined {
  if (host === 'none') return undefined;
  if (host === 'kvm') return context.platform.resolvePath(context.installFolder, 'dist/hypervisors/kvm.elf');
  return resolve(host);
}

function missingHost(host: string, path: string): string {
  return host === 'kvm'
    ? `the KVM host ${path} is not built: run "npm run build" where a C compiler is`
    : `host '${host}' does not exist: kvm, none or the path of a multiboot host`;
}

/** Modules lie in memory of their own, in whole megabytes. */
const spaceFor = (modules: readonly Uint8Array[]): number =>
  Math.ceil(modules.reduce((sum, { length }) => sum + length, 0) / 2 ** 20) * 2 ** 20;

function hostCommandLine(args: HyperstepLaunchArguments, memory: number): string {
  return `vcpus=${args.vcpus ?? 1} mode=${args.mode ?? 'long'} memory=${memory} ${args.append ?? ''}`.trim();
}
