import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinkKeys, textToSign, type Link } from '../../collect/links.js';
import { readClickQuery } from '../../collect/query.js';

const OLD = 'old:0123456789abcdef0123456789abcdef';
const NEW = 'new:fedcba9876543210fedcba9876543210';
const NOW_MS = 1_800_000_000_000;

const text = fc.string({ maxLength: 12, unit: 'grapheme' }).filter((t) => !/\p{Cc}/u.test(t));
const someText = text.filter((t) => t !== '');
const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,5}$/);
const links: fc.Arbitrary<Link> = fc.record({
  adId: text,
  to: text,
  exp: fc.option(fc.constant(String(NOW_MS / 1000 + 1)), { nil: undefined }),
  eventId: fc.option(someText, { nil: undefined }),
  timestamp: fc.option(someText, { nil: undefined }),
  fields: fc
    .uniqueArray(fc.tuple(name, text), { selector: ([key]) => key, maxLength: 4 })
    .map((pairs) => new Map(pairs)),
});

/** The link as the collector reads it out of the URL. */
function read(adId: string, query: string): [Link, ReturnType<typeof readClickQuery>] {
  const found = readClickQuery(`/c/x?${query}`);
  const { values, fields } = found;
  const link = {
    adId,
    to: values.get('to') ?? '',
    exp: values.get('exp'),
    eventId: values.get('event_id'),
    timestamp: values.get('timestamp'),
    fields,
  };
  return [link, found];
}

describe('a signed link', () => {
  it('holds as it was made, whatever others append, and after the key was rotated', () => {
    const before = new LinkKeys([OLD]);
    const after = new LinkKeys([NEW, OLD]);
    fc.assert(
      fc.property(links, (link) => {
        const query = `gclid=%zz&${before.sign(link)}&utm_source=a&utm_source=b`;
        const [found, parameters] = read(link.adId, query);
        expect(found).toEqual(link);
        before.verify(found, parameters, NOW_MS);
        after.verify(found, parameters, NOW_MS);
        expect(() => {
          new LinkKeys([NEW]).verify(found, parameters, NOW_MS);
        }).toThrow(expect.objectContaining({ code: 'signature_invalid' }) as Error);
      }),
    );
  });

  it('has a text to sign of its own: no two links share one', () => {
    fc.assert(
      fc.property(links, links, (a, b) => {
        expect(textToSign('k', a) === textToSign('k', b)).toBe(shown(a) === shown(b));
      }),
    );
  });

  it('does not hold when anything of it is changed', () => {
    const keys = new LinkKeys([OLD]);
    const link = {
      adId: 'a',
      to: 'https://a.example/',
      exp: undefined,
      fields: new Map([['c', 'US']]),
    };
    const signed = keys.sign(link);
    const changed: [string, string][] = [
      ['b', signed],
      ['a', signed.replace('a.example', 'b.example')],
      ['a', signed.replace('f.c=US', 'f.c=GB')],
      ['a', signed.replace('f.c=US&', '')],
      ['a', `${signed}&f.d=x`],
      ['a', `${signed}&exp=9999999999`],
      ['a', `${signed}&event_id=x`],
      ['a', `${signed}&timestamp=1`],
      ['a', signed.replace('key=old', 'key=new')],
      ['a', signed.replace('key=old', 'key=__proto__')],
      ['a', signed.replace(/sig=..../, 'sig=AAAA')],
      ['a', signed.replace(/sig=.*/, 'sig=')],
      ['a', signed.replace(/&sig=.*/, '')],
    ];
    for (const [adId, query] of changed) {
      const [found, parameters] = read(adId, query);
      expect(() => {
        keys.verify(found, parameters, NOW_MS);
      }, query).toThrow(expect.objectContaining({ code: 'signature_invalid' }) as Error);
    }
  });

  it.each(['exp', 'event_id', 'timestamp'])('does not hold with an empty %s appended', (what) => {
    const keys = new LinkKeys([OLD]);
    const signed = keys.sign({ adId: 'a', to: 'https://a.example/', fields: new Map() });
    for (const end of [`&${what}=`, `&${what}`]) {
      expect(() => read('a', signed + end)).toThrow(`the parameter ${what} is empty`);
    }
    const made = { adId: 'a', to: 't', exp: '', fields: new Map<string, string>() };
    expect(() => keys.sign(made)).toThrow('a link holds no empty exp');
  });

  it('expires', () => {
    const keys = new LinkKeys([OLD]);
    const exp = String(NOW_MS / 1000);
    const [link, query] = read('a', keys.sign({ adId: 'a', to: 't', exp, fields: new Map() }));
    keys.verify(link, query, NOW_MS - 1);
    expect(() => {
      keys.verify(link, query, NOW_MS);
    }).toThrow(expect.objectContaining({ code: 'link_expired' }) as Error);
  });

  it('is refused where no key is configured', () => {
    const [link, query] = read(
      'a',
      new LinkKeys([OLD]).sign({ adId: 'a', to: 't', fields: new Map() }),
    );
    expect(() => {
      new LinkKeys([]).verify(link, query, NOW_MS);
    }).toThrow(expect.objectContaining({ code: 'signature_invalid' }) as Error);
  });

  it('can be made with no more than HMAC-SHA256: the recipe of the documents', () => {
    const link = {
      adId: 'ad-1',
      to: 'https://shop.example/',
      fields: new Map([['country', 'US']]),
    };
    expect(textToSign('k1', link)).toBe(
      'truecount-link-1\nk1\nad-1\nhttps://shop.example/\n\n\n\ncountry=US',
    );
  });
});

it.each([
  ['no-colon', 'is not ID:SECRET'],
  ['k1:short', 'fewer than 32 characters'],
  ['a b:0123456789abcdef0123456789abcdef', 'is not ID:SECRET'],
])('the key %s is refused, and not shown', (key, why) => {
  const make = (): unknown => new LinkKeys([NEW, key]);
  expect(make).toThrow(why);
  expect(make).not.toThrow(key);
});

describe('a query', () => {
  it.each([
    'to=a&to=b',
    'f.a=1&f.a=1',
    'to=%0d%0a',
    'to=%ff',
    'f.=1',
    'f.event_id=x',
    'f.a-b=1',
    'f.__proto__=1',
  ])('%s is refused', (query) => {
    expect(() => readClickQuery(`/c/a?${query}`)).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }) as Error,
    );
  });
});

/** A link as text, with nothing made equal that is not but for the order of the fields. */
function shown({ fields, ...rest }: Link): string {
  const inOrder = [...fields].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    rest.adId,
    rest.to,
    of(rest.exp),
    of(rest.eventId),
    of(rest.timestamp),
    inOrder,
  ]);
}

function of(value: string | undefined): string[] {
  return value === undefined ? [] : [value];
}
