import type { Random } from './random.js';

/** Bytes that mean something to a JSON reader, or to a careless one. */
const TELLING = [...Buffer.from('"\\{}[]:,0123456789-+.eEtfnulasTZz \t\n\r/u\0\x1f\x7f')].concat([
  0x80, 0xa0, 0xbf, 0xc2, 0xe2, 0xed, 0xef, 0xf4, 0xff,
]);
const SNIPPETS = [
  '"ad_id":"x",',
  '"event_id":"y",',
  ',"timestamp":1795255200000',
  '"country":null,',
  '"device":{"a":[1,{"b":"}"}]},',
  '"ad_format":12,',
  '"ad_format":"",',
  '"x":[[[[]]]],',
  '"\\u0061d_id":"esc",',
  '\\ud800',
  '\\u0041',
  '1e400',
  '-0',
  'null',
  '€',
  '\u0085',
  '\ufeff',
].map((text) => Buffer.from(text));

/** One to three random changes of a record: its bytes stay near to a valid click. */
export function mutate(random: Random, record: Buffer): Buffer {
  let bytes = record;
  for (let n = 1 + random.below(3); n > 0; n--) bytes = mutateOnce(random, bytes);
  return bytes;
}

function mutateOnce(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, at + random.below(24));
  const before = bytes.subarray(0, at);
  const after = bytes.subarray(at);
  switch (random.below(9)) {
    case 0: // flip one bit
      return replaceByte(bytes, at, (old) => old ^ (1 << random.below(8)));
    case 1: // put a telling byte
      return replaceByte(bytes, at, () => random.pick(TELLING));
    case 2: // insert a telling byte
      return Buffer.concat([before, Buffer.of(random.pick(TELLING)), after]);
    case 3: // delete a slice
      return Buffer.concat([before, bytes.subarray(to)]);
    case 4: // truncate
      return before;
    case 5: // double a slice
      return Buffer.concat([bytes.subarray(0, to), after]);
    case 6:
      return Buffer.concat([before, random.pick(SNIPPETS), after]);
    case 7:
      return swapKeys(random, bytes);
    default: // one digit for another: times stay times
      return replaceByte(bytes, at, (old) => (old >= 48 && old < 58 ? 48 + random.below(10) : old));
  }
}

function replaceByte(bytes: Buffer, at: number, change: (old: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  if (at < copy.length) copy[at] = change(copy[at] as number);
  return copy;
}

function swapKeys(random: Random, bytes: Buffer): Buffer {
  const keys = ['event_id', 'ad_id', 'timestamp', 'country', 'device', 'ad_format', 'user_id'];
  const [a, b] = [random.pick(keys), random.pick(keys)];
  const text = bytes.toString('latin1');
  const swapped = text.replaceAll(`"${a}"`, '"\0"').replaceAll(`"${b}"`, `"${a}"`);
  return Buffer.from(swapped.replaceAll('"\0"', `"${b}"`), 'latin1');
}
