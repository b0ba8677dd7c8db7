/** The user's settings below `hyperstep.assembly`, and what the extension adds. */
export interface AssemblySettings {
  /** Folders for `#include <…>` besides the file's own. */
  readonly includeFolders: readonly string[];
  /** Preprocessor macros, as `-D` of a compiler defines them. */
  readonly defines: Readonly<Record<string, string>>;
  /** Code that runs in a deprivileged kernel: its sensitive instructions are flagged. */
  readonly deprivileged: boolean;
  /** The mode in which a file begins. */
  readonly bits: 32 | 64;
  /** Whose hypercall instruction is the right one: VMCALL of Intel, VMMCALL of AMD. */
  readonly vendor: 'intel' | 'amd';
  readonly inlayHints: {
    readonly addresses: boolean;
    readonly bytes: boolean;
    readonly hypercalls: boolean;
  };
}

export const DEFAULT_SETTINGS: AssemblySettings = {
  includeFolders: [],
  defines: {},
  deprivileged: false,
  bits: 64,
  vendor: 'intel',
  inlayHints: { addresses: false, bytes: false, hypercalls: true },
};

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;
const flag = (value: unknown, otherwise: boolean): boolean =>
  typeof value === 'boolean' ? value : otherwise;

const texts = (value: unknown): Record<string, string> =>
  isObject(value)
    ? Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]))
    : {};

/** Settings as the client sends them: what is missing or of another type keeps its default. */
export function readSettings(sent: unknown, extraFolders: readonly string[]): AssemblySettings {
  const from = isObject(sent) ? sent : {};
  const hints = isObject(from.inlayHints) ? from.inlayHints : {};
  const folders = Array.isArray(from.includeFolders) ? from.includeFolders : [];
  const { inlayHints } = DEFAULT_SETTINGS;
  return {
    includeFolders: [...folders.filter((folder) => typeof folder === 'string'), ...extraFolders],
    defines: texts(from.defines),
    deprivileged: flag(from.deprivileged, DEFAULT_SETTINGS.deprivileged),
    bits: from.mode === 'protected' ? 32 : 64,
    vendor: from.vendor === 'amd' ? 'amd' : 'intel',
    inlayHints: {
      addresses: flag(hints.addresses, inlayHints.addresses),
      bytes: flag(hints.bytes, inlayHints.bytes),
      hypercalls: flag(hints.hypercalls, inlayHints.hypercalls),
    },
  };
}
