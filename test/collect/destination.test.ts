import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AllowedDestinations } from '../../collect/destination.js';

const allowed = new AllowedDestinations([
  'good.example',
  'ported.example:8443',
  '*.wild.example',
  'secure.example:443',
  '*.plain.example:80',
  'xn--bcher-kva.example',
]);

describe('a destination on the list', () => {
  it.each([
    ['https://good.example', 'https://good.example/'],
    ['http://good.example/a?b=c&d=%0d%0a#e', 'http://good.example/a?b=c&d=%0d%0a#e'],
    ['HTTPS://GOOD.example:443/x', 'https://good.example/x'],
    ['https://ported.example:8443/', 'https://ported.example:8443/'],
    ['https://secure.example/', 'https://secure.example/'],
    ['https://secure.example:443/', 'https://secure.example/'],
    ['http://a.plain.example/', 'http://a.plain.example/'],
    ['https://a.b.wild.example/', 'https://a.b.wild.example/'],
    ['https://good.example/../../x', 'https://good.example/x'],
    ['https://good.example/@evil.example', 'https://good.example/@evil.example'],
    ['https://xn--bcher-kva.example/', 'https://xn--bcher-kva.example/'],
  ])('%s leads to %s', (to, location) => {
    expect(allowed.check(to)).toBe(location);
  });
});

describe('an open redirect', () => {
  it.each([
    '',
    '/',
    '//evil.example',
    '//good.example',
    '///good.example',
    '/\\evil.example',
    'https:/evil.example',
    'https:evil.example',
    'https:///evil.example',
    'https:\\\\good.example',
    'https://good.example\\@evil.example',
    'https://evil.example\\.good.example',
    'https://good.example@evil.example',
    'https://good.example:443@evil.example/',
    'https://user:pass@good.example/',
    'https://@good.example/',
    'https://evil.example/https://good.example',
    'https://evil.example?good.example',
    'https://evil.example#good.example',
    'https://good.example.evil.example/',
    'https://evilgood.example/',
    'https://wild.example/',
    'https://evilwild.example/',
    'https://a.wild.example.evil.example/',
    'https://a.wild.example.evil',
    'https://a.wild.example./',
    'https://a.wild.example:8443/',
    'https://a.plain.example:80.evil.example/',
    'https://good.example./',
    'https://good.example:8443/',
    'https://ported.example/',
    'http://secure.example/',
    'https://secure.example:8443/',
    'https://a.plain.example/',
    'https://good.example:99999/',
    'https://good.example:/',
    'https://[::1]/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://ｇood.example/',
    'https://bücher.example/',
    'https://good.example/\r\nSet-Cookie: a=b',
    'https://good.example/%0d%0a\n',
    'https://good.example/\u0000',
    'https://good.example/a b',
    'https://good.example/"onload="x',
    'https://good.example\u2028/',
    'https://evil.example／good.example',
    'https://good%2eexample/',
    ' https://good.example/',
    '\thttps://good.example/',
    'java\tscript:alert(1)',
    'javascript:alert(1)//https://good.example',
    'javascript://good.example/%0aalert(1)',
    'data:text/html,x',
    'ftp://good.example/',
    'blob:https://good.example/',
    'view-source:https://good.example/',
    `https://good.example/${'a'.repeat(5_000)}`,
  ])('%j is refused', (to) => {
    expect(() => allowed.check(to)).toThrow(
      expect.objectContaining({ code: 'destination_refused' }) as Error,
    );
  });

  it('is never let through, whatever is written around an allowed host', () => {
    const part = fc.oneof(
      fc.constantFrom(
        'good.example',
        'evil.example',
        'https://',
        '//',
        '@',
        ':',
        '\\',
        '/',
        '.',
        '?',
        '#',
        '%2f',
        '%40',
        'www.wild.example',
      ),
      fc.string({ maxLength: 3, unit: 'binary' }),
    );
    const label = fc.constantFrom(
      'good',
      'a',
      'wild',
      'example',
      'evil',
      'wild.example',
      'evil.com',
    );
    const host = fc.array(label, { minLength: 1, maxLength: 5 });
    const address = fc.oneof(
      fc.array(part, { maxLength: 8 }).map((parts) => parts.join('')),
      host.map((labels) => `https://${labels.join('.')}/`),
    );
    fc.assert(
      fc.property(address, (to) => {
        let location;
        try {
          location = allowed.check(to);
        } catch (error) {
          expect(error).toMatchObject({ code: 'destination_refused' });
          return;
        }
        const { hostname, username, protocol } = new URL(location);
        expect(hostname).toMatch(/^(good|ported|.*\.wild|xn--bcher-kva)\.example$/);
        expect([username, /^https?:$/.test(protocol)]).toEqual(['', true]);
        expect(location).toMatch(/^[\x21-\x7e]+$/);
      }),
      { numRuns: 5_000 },
    );
  });

  it.each(['https://a.example', 'a.example/x', '*', '*.', 'a b', 'a.example:', '.a', 'b_c.*'])(
    'cannot be configured: %s is no host',
    (entry) => {
      expect(() => new AllowedDestinations([entry])).toThrow(
        expect.objectContaining({ code: 'invalid_config' }) as Error,
      );
    },
  );
});
