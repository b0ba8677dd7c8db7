/** Launch configurations without VS Code: what F5 means for a file, and what a user's configuration may say. */
import { MAX_VCPUS } from '../debug-adapter/protocol.js';
import { fileName } from './format.js';

/** A configuration as the user wrote it: anything can be anywhere. */
export type UserConfiguration = Record<string, unknown>;

const GUEST_EXTENSIONS = ['.s', '.asm', '.c', '.elf'];
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];

/** What is needed of the file system. */
export interface Files {
  exists(file: string): Promise<boolean>;
  /** The first bytes of a file, fewer when it is shorter. */
  head(file: string, length: number): Promise<Uint8Array>;
}

/** Whether F5 on this file starts it as a guest: a source by its name, an ELF file by its first bytes. */
export async function isGuest(file: string, files: Files): Promise<boolean> {
  if (GUEST_EXTENSIONS.includes(extension(file).toLowerCase())) return true;
  const head = await files.head(file, ELF_MAGIC.length);
  return ELF_MAGIC.every((byte, index) => head[index] === byte);
}

/** The configuration for F5 on a guest without launch.json, with the handlers file that lies beside it. */
export async function configurationFor(program: string, files: Files): Promise<UserConfiguration> {
  const handlers = await findHandlers(program, files);
  return {
    type: 'hyperstep',
    request: 'launch',
    name: `Hyperstep: ${fileName(program)}`,
    program,
    ...(handlers === undefined ? {} : { handlers }),
  };
}

/** `hello.handlers.c` beside `hello.S`, else `handlers.c`. */
export async function findHandlers(program: string, files: Files): Promise<string | undefined> {
  const folder = program.slice(0, program.length - fileName(program).length);
  const stem = program.slice(0, program.length - extension(program).length);
  for (const candidate of [`${stem}.handlers.c`, `${folder}handlers.c`]) {
    if (candidate !== program && (await files.exists(candidate))) return candidate;
  }
  return undefined;
}

type Check = (value: unknown) => string | undefined;

const text: Check = (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be a text');
const texts: Check = (value) =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string')
    ? undefined
    : 'must be a list of texts';
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
const oneOf =
  (...choices: string[]): Check =>
  (value) =>
    choices.includes(value as string) ? undefined : `must be ${choices.map((c) => `"${c}"`).join(' or ')}`;
const vcpus: Check = (value) =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_VCPUS
    ? undefined
    : `must be a whole number from 1 to ${MAX_VCPUS}`;
const memory: Check = (value) =>
  typeof value === 'string' && /^[1-9]\d*[KMG]?$/i.test(value) ? undefined : 'must be a size such as "64M"';

const CHECKS: Record<string, Check> = {
  program: text,
  host: text,
  handlers: text,
  vcpus,
  memory,
  mode: oneOf('long', 'protected'),
  modules: texts,
  append: text,
  time: oneOf('real', 'fast'),
  stopOnEntry: flag,
  includeFolders: texts,
  cwd: text,
};

/** What is wrong with a configuration, as a sentence that names the attribute; undefined when nothing is. */
export function validate(configuration: UserConfiguration): string | undefined {
  if (configuration.program === undefined)
    return '"program" is missing: the guest to debug (.S, .asm, .c or an ELF file).';
  for (const [name, check] of Object.entries(CHECKS)) {
    const value = configuration[name];
    const fault = value === undefined ? undefined : check(value);
    if (fault !== undefined) return `"${name}" ${fault}, not ${JSON.stringify(value)}.`;
  }
  return undefined;
}

function extension(file: string): string {
  const name = fileName(file);
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot) : '';
}
