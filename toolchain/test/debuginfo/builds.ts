import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const FIXTURE = join(import.meta.dirname, 'fixture.c');

/** A directory for compiled files, removed after the tests of a suite. */
export class BuildDirectory {
  readonly path = mkdtempSync(join(tmpdir(), 'hyperstep-debuginfo-'));

  file(name: string): string {
    return join(this.path, name);
  }

  /** Compiles, and returns the path of the result. */
  compile(compiler: string, name: string, options: readonly string[], source = FIXTURE): string {
    const output = this.file(name);
    execFileSync(compiler, [...options, '-w', '-o', output, source], { stdio: 'pipe' });
    return output;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function hasTool(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Says why a suite is skipped and returns true when one of its tools is missing. */
export function lacksTools(...names: readonly string[]): boolean {
  const missing = names.filter((name) => !hasTool(name));
  if (missing.length > 0) {
    console.log(`      skipped: ${missing.join(', ')} not installed`);
  }
  return missing.length > 0;
}

/** Every compiler that is here, at two levels of optimization, in the versions of DWARF that they emit. */
export function buildVariants(): { name: string; compiler: string; options: string[] }[] {
  const compilers = ['gcc', 'clang'].filter(hasTool);
  return compilers.flatMap((compiler) =>
    ['-O0', '-O2'].flatMap((level) =>
      [4, 5].map((version) => ({
        name: `${compiler}${level}-dwarf${version}`,
        compiler,
        options: ['-g', `-gdwarf-${version}`, level, '-no-pie'],
      })),
    ),
  );
}

export function run(tool: string, options: readonly string[], input = ''): string {
  return execFileSync(tool, options, { encoding: 'utf8', input, maxBuffer: 1 << 28 });
}

export function readBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}
