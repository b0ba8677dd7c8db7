/**
 * Golden tokens of every grammar: `golden/NAME` is tokenized and compared with `golden/NAME.tokens`. With UPDATE=1 the
 * golden files are written again; read the difference.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadGrammar, syntaxes } from './tokens.js';

const SAMPLES: readonly (readonly [sample: string, scope: string])[] = [
  ['att.S', 'source.asm.gas.x86-64'],
  ['intel.S', 'source.asm.gas.x86-64'],
  ['guest.asm', 'source.asm.nasm.x86-64'],
  ['trace.hypercalls', 'text.hyperstep-trace'],
];

describe('grammars', () => {
  for (const [sample, scope] of SAMPLES) {
    it(`${sample} has its golden tokens`, async () => {
      const source = path.join(syntaxes, 'test', 'golden', sample);
      const golden = `${source}.tokens`;
      const tokens = `${(await loadGrammar(scope))(readFileSync(source, 'utf8').trimEnd()).join('\n')}\n`;
      if (process.env.UPDATE === '1' || !existsSync(golden)) writeFileSync(golden, tokens);
      assert.equal(tokens, readFileSync(golden, 'utf8'));
    });
  }
});
