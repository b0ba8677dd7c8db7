import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { DebugInfo } from '../debuginfo/debugInfo.js';
import { declare, stripped, typeName } from '../debuginfo/types.js';
import { isStruct } from '../debuginfo/values.js';
import { BuildDirectory, lacksTools, readBytes, run } from './debuginfo/builds.js';

describe('debug information across units', function () {
  if (lacksTools('gcc')) {
    return;
  }
  const directory = new BuildDirectory();
  after(() => directory.remove());

  it('finds the definition of a type that a unit only declares', () => {
    const [main, other, program] = ['main.c', 'other.c', 'program'].map((name) => directory.file(name));
    writeFileSync(
      main,
      'struct hidden; extern struct hidden *get(void); int main(void) { struct hidden *h = get(); return h != 0; }',
    );
    writeFileSync(other, 'struct hidden { int deep; char c; } it; struct hidden *get(void) { return &it; }');
    run('gcc', ['-g', '-no-pie', main, other, '-o', program]);
    const info = DebugInfo.load(readBytes(program), program);
    const [local] = info.variablesAt(info.functionsNamed('main')[0].bodyStart).locals;
    assert.equal(declare(local.type, local.name), 'struct hidden *h');
    const pointer = stripped(local.type);
    assert.ok(pointer.kind === 'pointer');
    const target = stripped(pointer.target);
    assert.ok(isStruct(target));
    assert.deepEqual(
      target.members.map((member) => declare(member.type, member.name!)),
      ['int deep', 'char c'],
    );
  });

  it('reads partial units: what dwz moves there stays the same', function () {
    if (lacksTools('dwz', 'objcopy')) {
      this.skip();
    }
    const object = directory.compile('gcc', 'fixture.o', ['-g', '-O2', '-c']);
    const copies = ['a', 'b', 'c'].map((prefix) => {
      const copy = directory.file(`${prefix}.o`);
      run('objcopy', [`--prefix-symbols=${prefix}_`, object, copy]);
      return copy;
    });
    const [plain, shared] = ['plain', 'shared'].map((name) => directory.file(name));
    run('gcc', ['-no-pie', object, ...copies, '-o', plain]);
    copyFileSync(plain, shared);
    run('dwz', [shared]);
    assert.match(run('readelf', ['--debug-dump=info', shared]), /DW_TAG_partial_unit/);
    assert.deepEqual(summary(shared), summary(plain));
  });
});

function summary(program: string): unknown {
  const info = DebugInfo.load(readBytes(program), program);
  return {
    functions: info.allFunctions().map(({ name, low, location, bodyStart }) => {
      const { arguments: parameters, locals } = info.variablesAt(bodyStart);
      const variables = [...parameters, ...locals].map((variable) => declare(variable.type, variable.name));
      return { name, low, location, variables };
    }),
    globals: info
      .globals()
      .map(({ name, type, declaration }) => `${name} ${typeName(type)} ${declaration?.line}`)
      .sort(),
  };
}
