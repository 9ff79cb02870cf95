import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TruecountError } from '../../core/errors.js';
import { assertReadable, compressionOf, decompressed } from '../../ingest/files/decompress.js';

const TEXT = Array.from(
  { length: 400 },
  (_, i) => `{"ad_id":"ad${(i * i) % 17}","n":${(i * 7919) % 1000}}\n`,
).join('');

/** TEXT by `zstd -19` 1.5, with its checksum. */
const ZST_TEXT =
  'KLUv/WTeJE0gAEpHUAgVkCeFHL/67ujdBW4p066UDTKS6WJwhQB7AHwApjyC+kY9OSfSXG1Y9jGEKIRnU9ISn9qjM8' +
  'ImMc5VKCPryL3dXwKliAibOaRMTEPtfhzkWki72BDZjJX48k4Y0XFaRsNozOFmqEgm1sm8pR/prD+Cp2FQFhMYKu6M' +
  'yzseFC41QjZtFFEScvF0RpXeM6+L4EAoGBQYABiEgsEAAgEGCBgYCGRIQoyjYzIkaPRoJ+YumlaW+BaCChKWzZASDq' +
  '/vORUW0uJbSRHZjNrX9eWBCkWIOTgTckIaxv40iLWHdlYiMVtF/5UZsRFeOH2ZYSMcdi+UEonNVL7Skc/Sr+DQLMgF' +
  'w4hnpqUdf7iqkG2inFOpjNfLIciPGcUICRuvw43xeIYEjdUJcw8GiS7RmZSz6PO3Fn0RYgoMcyPkSHSCa3v+MCnisY' +
  '5CmYymH7eXwEcEzeKEcBNssOUzQao59P2siGbVvpdhRJyILpi2zIcNOcQdoZMwJtPw0464u/9gaSK4BRlELDNT1uGH' +
  'h6sh2oKafFNWxLsagmXHfAEEB+SJ6cj4uCMzHguizqhMhqvIc7e3fAoRCvM2JEViJrSux+fDJMW1BmUyjqR3RxpoxW' +
  'PmSBgTa6DNjwQZrSHvZi8yUxV+vAtDUSIWSlfGwzccdCs0JItxEl6kM9LO1v8HaxSMxRgo5oyU4+iDw60+ZBMV8piu' +
  'Qk+uCUEOgZmoIQxM3zlhkRARh30hBAnBCQFC2PEDhWtqIpfLj2GzgwougQIR33RJvjbAV4eucpKS3oY/CUbFXKfcBC' +
  'hBBBxf8tcOyC5UpkSkl5fgQWIB1ZRN09hVoeXvK0r285DAVxS1HK9uKoWpElO/qoLUiRdOkkX1p6ZKraL0dvrUQAFE' +
  'CP7iS/yFA2AObVUiaU6fOIPicAIKRH3TJfvSAFgculUmaaNn+JNwVMx56k2AEkSA8yX/6gBZhqbykWLehR8JJlRMDm' +
  'o4BypEfsMl/eqAWUMFlSQpyB1UwAVQIfI3XSK+OCDLUKeSkWZehXekek/txvzDCADDS/qVA2QOTVUiadJreJO0BxUc' +
  'AAECvph/PKrqvvUpT/zQA/eiXfJXB8we6qpE0qZP3voEcAJKiH7zS/7SARgKbZVJWqbX2D2Rm3zaod3Ikrw4C7Dl0F' +
  'olkh69hjeJR+pTviVQhiAwvuRfHCDj0K8ySRs9w5eEibSn3MInDthFWFIvHCBLaEFKIynsDypwAUqIfINL5qsDZg81' +
  'VSJp02t4ku46ZRv64AHB8JJ/dUB2oTKlIo282uD4ZAD6wAGIEPQFl+SLBshkaKzSJE0vxJvEo2IuDmvhAsgQnW9f51' +
  '8Ol3uNwFoF+zUCq7UEsivBeh1YXe+BstXKaVWBQw3hQvy3';
const ZST = Buffer.from(ZST_TEXT, 'base64');
/** A skippable frame, as pzstd writes them. */
const SKIPPABLE = Buffer.from('502a4d180300000061620a', 'hex');

/** `{"ad_id":"a"}`, a line. */
const lzmaOf =
  'fd377a585a000004e6d6b4460200210116000000742fe5a301000d7b2261645f6964223a2261227d0a0000002aeeaafdbe00220f0001260e081be0041fb6f37d010000000004595a';
const bzip2Of =
  '425a68393141592653594f920dd60000065b800010100000100000a420000a200031064c4101a69ea0d1cd54180bc5dc914e142413e4837580';
const zipOf =
  '504b03041400000000000000210020129f9c0e0000000e00000008000000612e6e646a736f6e7b2261645f6964223a2261227d0a504b010214031400000000000000210020129f9c0e0000000e000000080000000000000000000000800100000000612e6e646a736f6e504b0506000000000100010036000000340000000000';

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) {
    yield await Promise.resolve(bytes.subarray(at, at + size));
  }
}

async function read(bytes: Buffer, size = 4_096): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of decompressed(inChunks(bytes, size), 'a.log')) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** What comes of it: the content, or the code of the error. */
async function outcome(bytes: Buffer, size?: number): Promise<string> {
  try {
    return await read(bytes, size);
  } catch (error) {
    if (!(error instanceof TruecountError)) throw error;
    expect(error.message).toMatch(/^the (gzip|zstd) data of a\.log are damaged or truncated: /);
    return error.code;
  }
}

/** A zstd frame of blocks of one repeated byte, 128 KiB each: four bytes a block. */
function bomb(blocks: number): Buffer {
  const body = Buffer.alloc(4 * blocks);
  for (let i = 0; i < blocks; i++) {
    const isLast = i === blocks - 1 ? 1 : 0;
    body.writeUIntLE((131_072 << 3) | (1 << 1) | isLast, 4 * i, 3);
    body[4 * i + 3] = 0x0a;
  }
  return Buffer.concat([Buffer.from('28b52ffd0038', 'hex'), body]);
}

describe('decompressed', () => {
  it.each([
    ['plain text', Buffer.from(TEXT), 'none'],
    ['gzip', gzipSync(TEXT), 'gzip'],
    ['zstd', ZST, 'zstd'],
    ['zstd behind a skippable frame', Buffer.concat([SKIPPABLE, ZST]), 'zstd'],
  ])('gives the content of %s, however it is cut into chunks', async (_, bytes, compression) => {
    expect(compressionOf(bytes)).toBe(compression);
    for (const size of [1, 2, 3, 7, 4_096]) expect(await read(bytes, size)).toBe(TEXT);
  });

  it.each([
    ['gzip members', [gzipSync('a\n'), gzipSync(''), gzipSync('b\n')], 'a\nb\n'],
    ['zstd frames', [ZST, SKIPPABLE, ZST], TEXT + TEXT],
    ['gzip and padding', [gzipSync('a\n'), Buffer.alloc(9_000)], 'a\n'],
  ])('joins %s', async (_, parts, expected) => {
    for (const size of [1, 20, 4_096]) {
      expect(await read(Buffer.concat(parts), size)).toBe(expected);
    }
  });

  it.each([
    ['nothing', ''],
    ['less than a magic number', '\x1f'],
    ['text that only begins like one', '(\xb5/'],
  ])('passes on %s', async (_, text) => {
    expect(await read(Buffer.from(text, 'latin1'))).toBe(Buffer.from(text, 'latin1').toString());
  });

  it.each([
    ['gzip', gzipSync(TEXT)],
    ['zstd', ZST],
  ])('says of %s that is cut short or damaged that it is, wherever', async (_, whole) => {
    const damage = fc.record({
      at: fc.nat(whole.length - 1),
      by: fc.integer({ min: 1, max: 255 }),
    });
    let damaged = 0;
    const property = fc.asyncProperty(damage, async ({ at, by }) => {
      // Up to the magic number it is another kind of file.
      if (at >= 4) expect(await outcome(whole.subarray(0, at))).toBe('invalid_argument');
      const bytes = Buffer.from(whole);
      bytes[at]! ^= by;
      if (compressionOf(bytes) === 'none') return;
      // A bit without meaning may change; a content that is not the file's may never come out.
      const result = await outcome(bytes);
      expect(['invalid_argument', TEXT]).toContain(result);
      if (result === 'invalid_argument') damaged += 1;
    });
    await fc.assert(property, { numRuns: 300 });
    expect(damaged).toBeGreaterThan(200);
  });

  it.each([
    ['a member that is none', [gzipSync('a\n'), Buffer.from('nonsense')]],
    ['zeros and a member behind them', [gzipSync('a\n'), Buffer.alloc(50), gzipSync('b\n')]],
    ['many zeros and a member', [gzipSync('a\n'), Buffer.alloc(300_000), gzipSync('b\n')]],
    ['a frame that is none', [ZST, Buffer.from('nonsense')]],
    ['a window of a gigabyte', [Buffer.from('28b52ffd00a0010000', 'hex')]],
    ['a dictionary', [Buffer.from('28b52ffd210107010000', 'hex')]],
  ])('refuses %s', async (_, parts) => {
    const bytes = Buffer.concat(parts);
    for (const size of bytes.length > 100_000 ? [22, 4_096] : [1, 4_096]) {
      expect(await outcome(bytes, size)).toBe('invalid_argument');
    }
  });

  it.each([
    ['xz', lzmaOf, 'xz -dc a.log | '],
    ['bzip2', bzip2Of, 'bzip2 -dc a.log | '],
    ['zip', zipOf, 'unzip -p a.log | '],
  ])('refuses %s, by its first bytes, and says what unpacks it', async (kind, hex, hint) => {
    const bytes = Buffer.from(hex, 'hex');
    const refusal = {
      code: 'invalid_argument',
      message: `a.log is compressed by ${kind}, which is not read`,
      hint: expect.stringContaining(`${hint}truecount ingest -`) as string,
    };
    for (const size of [1, 3, 4_096])
      await expect(read(bytes, size)).rejects.toMatchObject(refusal);
    expect(() => {
      assertReadable(bytes, 'a.log');
    }).toThrow(expect.objectContaining(refusal) as Error);
  });

  it.each(['BZh, said the log', 'PK', '\xfd7zX', ''])(
    'reads %j, which only begins like one',
    (text) => {
      assertReadable(Buffer.from(text, 'latin1'), 'a.log');
    },
  );

  it('gives what came before the damage', async () => {
    let text = '';
    const reading = async (): Promise<void> => {
      const source = inChunks(Buffer.concat([ZST, ZST.subarray(0, 100)]), 64);
      for await (const part of decompressed(source, 'a.log')) text += part.toString();
    };
    await expect(reading()).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(text).toBe(TEXT);
  });

  it('passes on a failure to read the source as it is', async () => {
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield await Promise.resolve(gzipSync(TEXT).subarray(0, 30));
      throw new Error('disk on fire');
    };
    const reading = async (): Promise<void> => {
      for await (const part of decompressed(broken(), 'a.log')) expect(part).toBeDefined();
    };
    await expect(reading()).rejects.toThrow('disk on fire');
  });

  it.each([
    ['gzip', () => gzipSync(Buffer.alloc(250_000_000, 0x0a), { level: 9 })],
    ['zstd', () => bomb(2_000)],
  ])('keeps its memory when a small %s file holds hundreds of megabytes', async (_, make) => {
    const bytes = make();
    expect(bytes.length).toBeLessThan(500_000);
    const before = process.memoryUsage.rss();
    let length = 0;
    let largest = 0;
    for await (const part of decompressed(inChunks(bytes, 1_000_000), 'a.log')) {
      length += part.length;
      largest = Math.max(largest, process.memoryUsage.rss());
    }
    expect(length).toBeGreaterThan(240_000_000);
    expect(largest - before).toBeLessThan(150_000_000);
  });
});
