/** What a child process left behind. */
export interface ProcessResult {
  /** The exit status; -1 when a signal ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The services of the machine that the toolchain runs on. Everything above Node or the browser takes one as an
 * argument; a web implementation has no processes.
 */
export interface Platform {
  readonly operatingSystem: 'linux' | 'darwin' | 'win32' | 'other';
  /** The bytes of a file; undefined when there is no such file. */
  readFile(path: string): Promise<Uint8Array | undefined>;
  writeFile(path: string, bytes: Uint8Array | string): Promise<void>;
  exists(path: string): Promise<boolean>;
  /** As `readFile`, for the assembler's includes, which cannot wait. */
  readFileSync(path: string): Uint8Array | undefined;
  /** An absolute, normalized path. */
  resolvePath(...parts: string[]): string;
  directoryOf(path: string): string;
  /** Runs `use` with a fresh folder, which is removed afterwards. */
  withTemporaryFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result>;
  /** Runs a program found through the search path; undefined when it cannot be started. */
  run(
    program: string,
    args: readonly string[],
    options?: { readonly cwd?: string },
  ): Promise<ProcessResult | undefined>;
  environment(name: string): string | undefined;
}
