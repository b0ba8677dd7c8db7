import assert from 'node:assert/strict';
import { parseCommandLine, UsageError } from '../arguments.js';

const refuses = (line: string, message: RegExp): void =>
  assert.throws(
    () => parseCommandLine(line.split(' ')),
    (error: unknown) => error instanceof UsageError && message.test(error.message),
  );

describe('command line', () => {
  it('has the documented defaults', () => {
    assert.deepEqual(parseCommandLine(['run', 'hello.S']), {
      command: 'run',
      program: 'hello.S',
      host: 'kvm',
      handlers: undefined,
      vcpus: 1,
      memory: '64M',
      mode: undefined,
      modules: [],
      append: '',
      time: 'fast',
      maxInstructions: Infinity,
      atEntry: undefined,
      accesses: false,
      json: false,
      checkCompiler: false,
    });
  });

  it('takes every option', () => {
    const line =
      'trace g.elf --host none --handlers h.c --vcpus 2 --memory 1G --mode protected --module a --module b --append x --time real --max-instructions 9 --json';
    assert.deepEqual(parseCommandLine(line.split(' ')), {
      command: 'trace',
      program: 'g.elf',
      host: 'none',
      handlers: 'h.c',
      vcpus: 2,
      memory: '1G',
      mode: 'protected',
      modules: ['a', 'b'],
      append: 'x',
      time: 'real',
      maxInstructions: 9,
      atEntry: undefined,
      accesses: false,
      json: true,
      checkCompiler: false,
    });
  });

  it('names the wrong word', () => {
    refuses('walk a.S', /unknown command 'walk'/);
    refuses('run', /PROGRAM is missing/);
    refuses('run a.S b.S', /not also 'b.S'/);
    refuses('run a.S --vcpus 0', /--vcpus 0/);
    refuses('run a.S --memory lots', /--memory lots/);
    refuses('run a.S --mode real', /--mode real: one of long, protected/);
    refuses('run a.S --colour', /--colour/);
    refuses('run a.S --json', /--json goes with/);
    refuses('run a.S --at-entry 2', /--at-entry goes with vmcs/);
    refuses('vmcs a.S --at-entry 0', /--at-entry 0/);
    assert.equal(parseCommandLine(['--help']), undefined);
  });
});
