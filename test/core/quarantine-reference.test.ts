import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { ClickDecoder, rejectReason } from '../../core/click/decode.js';
import { parseClick } from '../../core/click/parse.js';
import { REJECT_REASONS } from '../../core/click/reasons.js';
import { createClickView } from '../../core/click/view.js';
import { EXAMPLE_APPEND_MS, REJECT_EXAMPLES } from './support/reject-examples.js';

const PAGE = new URL('../../docs/reference/quarantine.md', import.meta.url);
const utf8 = new TextDecoder();

/** The part of the page that is written from the list of examples. */
function sections(): string {
  return REJECT_REASONS.map((reason) => {
    const { meaning, shown, value } = REJECT_EXAMPLES[reason];
    const example = shown ?? utf8.decode(value ?? undefined);
    return `### \`${reason}\`\n\n${meaning}\n\n\`\`\`text\n${example}\n\`\`\`\n`;
  }).join('\n');
}

describe('the quarantine reference', () => {
  test('lists every reason in the order of the decoder, with the examples tested here', async () => {
    const page = await readFile(PAGE, 'utf8');
    const from = page.indexOf('\n## Reasons\n');
    const listed = page.slice(page.indexOf('### ', from), page.indexOf('\n## ', from + 1));
    expect(listed.trim()).toBe(sections().trim());
  });

  test.each(REJECT_REASONS)('its example of %s is rejected with that reason', (reason) => {
    const { value } = REJECT_EXAMPLES[reason];
    expect(parseClick(value, EXAMPLE_APPEND_MS, ['country'])).toMatchObject({
      kind: 'rejected',
      reason,
    });
    const decoder = new ClickDecoder(['country']);
    const view = createClickView(1);
    const code = decoder.decodeInto(value, 0, value?.length ?? 0, EXAMPLE_APPEND_MS, view);
    expect(rejectReason(code)).toBe(reason);
    expect(decoder.detail).not.toBe('');
  });
});
