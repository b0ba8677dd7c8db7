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

export interface BuildVariant {
  readonly name: string;
  readonly compiler: string;
  readonly options: readonly string[];
}

/** Every compiler that is here, at two levels of optimization, in the versions of DWARF that they emit; and the odd ones. */
export function buildVariants(): BuildVariant[] {
  const compilers = ['gcc', 'clang'].filter(hasTool);
  const usual = compilers.flatMap((compiler) =>
    ['-O0', '-O2'].flatMap((level) =>
      [4, 5].map((version) => variant(compiler, level, `-gdwarf-${version}`)),
    ),
  );
  const odd = [
    variant('gcc', '-O1', '-gdwarf-2'),
    variant('gcc', '-O3', '-gdwarf-3'),
    variant('gcc', '-O2', '-gdwarf-5', '-gdwarf64'),
    variant('gcc', '-O2', '-gdwarf-4', '-fdebug-types-section'),
    variant('gcc', '-O0', '-gdwarf-5', '-fdebug-types-section'),
    variant('gcc', '-O0', '-gdwarf-5', '-fomit-frame-pointer'),
    variant('clang', '-O3', '-gdwarf-5', '-fdebug-types-section'),
    variant('clang', '-O1', '-gdwarf-5'),
  ];
  return [...usual, ...odd.filter(({ compiler }) => compilers.includes(compiler))];
}

function variant(compiler: string, ...options: readonly string[]): BuildVariant {
  return { name: [compiler, ...options].join(''), compiler, options: ['-g', ...options, '-no-pie'] };
}

export function run(tool: string, options: readonly string[], input = ''): string {
  return execFileSync(tool, options, { encoding: 'utf8', input, maxBuffer: 1 << 28 });
}

export function readBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}
