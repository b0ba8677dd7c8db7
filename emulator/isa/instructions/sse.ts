/** SSE and SSE2: moves, logic, integer arithmetic, shuffles (SDM 1 chapters 10 and 11). Floating-point arithmetic is not there. */
import type { InstructionRow, OperandForm } from '../table.js';
import { cold, hot } from './define.js';

const vector = (
  mnemonic: string,
  opcode: string,
  operands: readonly OperandForm[],
  summary: string,
  semantics?: string,
) => hot(mnemonic, opcode, operands, summary, semantics === undefined ? {} : { semantics });

/** Two spellings of one move: aligned and unaligned, of 16 bytes. */
const wholeMove = (mnemonic: string, prefix: string, load: string, store: string, aligned: boolean) => {
  const semantics = aligned ? 'moveVectorAligned' : 'moveVector';
  const summary = aligned ? 'Moves 16 bytes, aligned' : 'Moves 16 bytes';
  return [
    vector(mnemonic, `${prefix} 0F ${load} /r`, ['Vx', 'Wx'], summary, semantics),
    vector(mnemonic, `${prefix} 0F ${store} /r`, ['Wx', 'Vx'], summary, semantics),
  ];
};

/** Destination = destination op source, 16 bytes each. */
const packed = (opcode: string, mnemonic: string, summary: string, semantics?: string) =>
  vector(mnemonic, `66 0F ${opcode} /r`, ['Vx', 'Wx'], summary, semantics);

const logic = (opcode: string, name: string, semantics: string) => [
  vector(`${name}ps`, `NP 0F ${opcode} /r`, ['Vx', 'Wx'], 'Bitwise operation', semantics),
  vector(`${name}pd`, `66 0F ${opcode} /r`, ['Vx', 'Wx'], 'Bitwise operation', semantics),
];

const shift = (byRegister: string, byImmediate: string, mnemonic: string, summary: string) => [
  packed(byRegister, mnemonic, summary),
  vector(mnemonic, `66 0F ${byImmediate}`, ['Ux', 'Ib'], summary),
];

const INTEGER: readonly (readonly [opcode: string, mnemonic: string, summary: string])[] = [
  ['60', 'punpcklbw', 'Interleaves the low bytes'],
  ['61', 'punpcklwd', 'Interleaves the low words'],
  ['62', 'punpckldq', 'Interleaves the low doublewords'],
  ['63', 'packsswb', 'Words to bytes, signed saturation'],
  ['64', 'pcmpgtb', 'Compares bytes, greater than'],
  ['65', 'pcmpgtw', 'Compares words, greater than'],
  ['66', 'pcmpgtd', 'Compares doublewords, greater than'],
  ['67', 'packuswb', 'Words to bytes, unsigned saturation'],
  ['68', 'punpckhbw', 'Interleaves the high bytes'],
  ['69', 'punpckhwd', 'Interleaves the high words'],
  ['6A', 'punpckhdq', 'Interleaves the high doublewords'],
  ['6B', 'packssdw', 'Doublewords to words, signed saturation'],
  ['6C', 'punpcklqdq', 'Interleaves the low quadwords'],
  ['6D', 'punpckhqdq', 'Interleaves the high quadwords'],
  ['74', 'pcmpeqb', 'Compares bytes, equal'],
  ['75', 'pcmpeqw', 'Compares words, equal'],
  ['76', 'pcmpeqd', 'Compares doublewords, equal'],
  ['D4', 'paddq', 'Adds quadwords'],
  ['D5', 'pmullw', 'Low half of the products of words'],
  ['D8', 'psubusb', 'Subtracts bytes, unsigned saturation'],
  ['D9', 'psubusw', 'Subtracts words, unsigned saturation'],
  ['DA', 'pminub', 'Minimum of unsigned bytes'],
  ['DB', 'pand', 'Bitwise AND'],
  ['DC', 'paddusb', 'Adds bytes, unsigned saturation'],
  ['DD', 'paddusw', 'Adds words, unsigned saturation'],
  ['DE', 'pmaxub', 'Maximum of unsigned bytes'],
  ['DF', 'pandn', 'Bitwise AND with the inverted destination'],
  ['E0', 'pavgb', 'Average of unsigned bytes, rounded up'],
  ['E3', 'pavgw', 'Average of unsigned words, rounded up'],
  ['E4', 'pmulhuw', 'High half of the products of unsigned words'],
  ['E5', 'pmulhw', 'High half of the products of signed words'],
  ['E8', 'psubsb', 'Subtracts bytes, signed saturation'],
  ['E9', 'psubsw', 'Subtracts words, signed saturation'],
  ['EA', 'pminsw', 'Minimum of signed words'],
  ['EB', 'por', 'Bitwise OR'],
  ['EC', 'paddsb', 'Adds bytes, signed saturation'],
  ['ED', 'paddsw', 'Adds words, signed saturation'],
  ['EE', 'pmaxsw', 'Maximum of signed words'],
  ['EF', 'pxor', 'Bitwise exclusive OR'],
  ['F4', 'pmuludq', 'Products of the even unsigned doublewords'],
  ['F5', 'pmaddwd', 'Products of words, added in pairs'],
  ['F6', 'psadbw', 'Sum of absolute differences of bytes'],
  ['F8', 'psubb', 'Subtracts bytes'],
  ['F9', 'psubw', 'Subtracts words'],
  ['FA', 'psubd', 'Subtracts doublewords'],
  ['FB', 'psubq', 'Subtracts quadwords'],
  ['FC', 'paddb', 'Adds bytes'],
  ['FD', 'paddw', 'Adds words'],
  ['FE', 'paddd', 'Adds doublewords'],
];

export const sse: readonly InstructionRow[] = [
  ...wholeMove('movups', 'NP', '10', '11', false),
  ...wholeMove('movupd', '66', '10', '11', false),
  ...wholeMove('movaps', 'NP', '28', '29', true),
  ...wholeMove('movapd', '66', '28', '29', true),
  ...wholeMove('movdqa', '66', '6F', '7F', true),
  ...wholeMove('movdqu', 'F3', '6F', '7F', false),
  vector('movntps', 'NP 0F 2B /r', ['Mdq', 'Vx'], 'Stores 16 bytes past the caches', 'moveVectorAligned'),
  vector('movntpd', '66 0F 2B /r', ['Mdq', 'Vx'], 'Stores 16 bytes past the caches', 'moveVectorAligned'),
  vector('movntdq', '66 0F E7 /r', ['Mdq', 'Vx'], 'Stores 16 bytes past the caches', 'moveVectorAligned'),
  vector('lddqu', 'F2 0F F0 /r', ['Vx', 'Mdq'], 'Loads 16 bytes', 'moveVector'),

  ...[
    ['movd', '66'],
    ['movq', '66 REX.W'],
  ].flatMap(([mnemonic, prefixes]) => [
    vector(
      mnemonic,
      `${prefixes} 0F 6E /r`,
      ['Vx', 'Ey'],
      'Moves an integer, the rest becomes 0',
      'moveIntegerToVector',
    ),
    vector(mnemonic, `${prefixes} 0F 7E /r`, ['Ey', 'Vx'], 'Moves the low integer', 'moveVectorToInteger'),
  ]),
  vector(
    'movq',
    'F3 0F 7E /r',
    ['Vx', 'Wq'],
    'Moves the low quadword, the rest becomes 0',
    'moveLowQuadword',
  ),
  vector('movq', '66 0F D6 /r', ['Wq', 'Vx'], 'Moves the low quadword', 'moveLowQuadword'),
  vector('movss', 'F3 0F 10 /r', ['Vx', 'Ud'], 'Moves the low doubleword', 'mergeLow32'),
  vector('movss', 'F3 0F 10 /r', ['Vx', 'Md'], 'Loads the low doubleword, the rest becomes 0', 'loadLow32'),
  vector('movss', 'F3 0F 11 /r', ['Ud', 'Vx'], 'Moves the low doubleword', 'mergeLow32'),
  vector('movss', 'F3 0F 11 /r', ['Md', 'Vx'], 'Stores the low doubleword', 'storeLow32'),
  vector('movsd', 'F2 0F 10 /r', ['Vx', 'Uq'], 'Moves the low quadword', 'mergeLow64'),
  vector(
    'movsd',
    'F2 0F 10 /r',
    ['Vx', 'Mq'],
    'Loads the low quadword, the rest becomes 0',
    'moveLowQuadword',
  ),
  vector('movsd', 'F2 0F 11 /r', ['Uq', 'Vx'], 'Moves the low quadword', 'mergeLow64'),
  vector('movsd', 'F2 0F 11 /r', ['Mq', 'Vx'], 'Stores the low quadword', 'storeLow64'),
  vector(
    'movhlps',
    'NP 0F 12 /r',
    ['Vx', 'Ux'],
    'Low quadword = high quadword of the source',
    'moveHighToLow',
  ),
  vector(
    'movlhps',
    'NP 0F 16 /r',
    ['Vx', 'Ux'],
    'High quadword = low quadword of the source',
    'moveLowToHigh',
  ),
  ...['NP', '66'].flatMap((prefix) => {
    const type = prefix === 'NP' ? 's' : 'd';
    return [
      vector(`movlp${type}`, `${prefix} 0F 12 /r`, ['Vx', 'Mq'], 'Loads the low quadword', 'loadLowHalf'),
      vector(`movlp${type}`, `${prefix} 0F 13 /r`, ['Mq', 'Vx'], 'Stores the low quadword', 'storeLow64'),
      vector(`movhp${type}`, `${prefix} 0F 16 /r`, ['Vx', 'Mq'], 'Loads the high quadword', 'loadHighHalf'),
      vector(`movhp${type}`, `${prefix} 0F 17 /r`, ['Mq', 'Vx'], 'Stores the high quadword', 'storeHighHalf'),
    ];
  }),
  cold('ldmxcsr', 'NP 0F AE /2', ['Md'], 'Loads MXCSR'),
  cold('stmxcsr', 'NP 0F AE /3', ['Md'], 'Stores MXCSR'),
  hot('movnti', 'NP 0F C3 /r', ['My', 'Gy'], 'Stores an integer past the caches', { semantics: 'mov' }),

  ...logic('54', 'and', 'pand'),
  ...logic('55', 'andn', 'pandn'),
  ...logic('56', 'or', 'por'),
  ...logic('57', 'xor', 'pxor'),
  vector('unpcklps', 'NP 0F 14 /r', ['Vx', 'Wx'], 'Interleaves the low doublewords', 'punpckldq'),
  vector('unpcklpd', '66 0F 14 /r', ['Vx', 'Wx'], 'Interleaves the low quadwords', 'punpcklqdq'),
  vector('unpckhps', 'NP 0F 15 /r', ['Vx', 'Wx'], 'Interleaves the high doublewords', 'punpckhdq'),
  vector('unpckhpd', '66 0F 15 /r', ['Vx', 'Wx'], 'Interleaves the high quadwords', 'punpckhqdq'),
  ...INTEGER.map(([opcode, mnemonic, summary]) => packed(opcode, mnemonic, summary)),

  ...shift('D1', '71 /2', 'psrlw', 'Shifts words right, filling with 0'),
  ...shift('D2', '72 /2', 'psrld', 'Shifts doublewords right, filling with 0'),
  ...shift('D3', '73 /2', 'psrlq', 'Shifts quadwords right, filling with 0'),
  ...shift('E1', '71 /4', 'psraw', 'Shifts words right, filling with the sign'),
  ...shift('E2', '72 /4', 'psrad', 'Shifts doublewords right, filling with the sign'),
  ...shift('F1', '71 /6', 'psllw', 'Shifts words left'),
  ...shift('F2', '72 /6', 'pslld', 'Shifts doublewords left'),
  ...shift('F3', '73 /6', 'psllq', 'Shifts quadwords left'),
  vector('psrldq', '66 0F 73 /3', ['Ux', 'Ib'], 'Shifts right by bytes'),
  vector('pslldq', '66 0F 73 /7', ['Ux', 'Ib'], 'Shifts left by bytes'),

  vector('pshufd', '66 0F 70 /r', ['Vx', 'Wx', 'Ib'], 'Selects doublewords'),
  vector('pshufhw', 'F3 0F 70 /r', ['Vx', 'Wx', 'Ib'], 'Selects among the high words'),
  vector('pshuflw', 'F2 0F 70 /r', ['Vx', 'Wx', 'Ib'], 'Selects among the low words'),
  vector('shufps', 'NP 0F C6 /r', ['Vx', 'Wx', 'Ib'], 'Selects two doublewords of each operand'),
  vector('shufpd', '66 0F C6 /r', ['Vx', 'Wx', 'Ib'], 'Selects a quadword of each operand'),
  vector('pinsrw', '66 0F C4 /r', ['Vx', 'Eyw', 'Ib'], 'Inserts a word'),
  vector('pextrw', '66 0F C5 /r', ['Gy', 'Ux', 'Ib'], 'Extracts a word'),
  vector('pmovmskb', '66 0F D7 /r', ['Gy', 'Ux'], 'The signs of the bytes'),
  vector('movmskps', 'NP 0F 50 /r', ['Gy', 'Ux'], 'The signs of the doublewords'),
  vector('movmskpd', '66 0F 50 /r', ['Gy', 'Ux'], 'The signs of the quadwords'),
];
