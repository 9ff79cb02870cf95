import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import type { SearchAttributeType } from '@temporalio/common';
import { TruecountError } from '../../core/errors.js';
import { SEARCH_ATTRIBUTES } from '../../workflows/search-attributes.js';
import type { TemporalConnection } from './client.js';

const POLL_MS = 200;
const VISIBLE_MS = 60_000;

/** `Name=Type` for the flags of the dev server. */
export const SEARCH_ATTRIBUTE_FLAGS: readonly string[] = SEARCH_ATTRIBUTES.flatMap((key) => [
  '--search-attribute',
  `${key.name}=${cliName(key.type)}`,
]);

/** `KEYWORD` → `Keyword`, as the command line writes it. */
function cliName(type: SearchAttributeType): string {
  return type.slice(0, 1) + type.slice(1).toLowerCase();
}

/**
 * Registers the search attributes of the workflows that the namespace lacks, and returns once it
 * knows them: a workflow that sets an unknown one would not get on.
 * @throws TruecountError `not_ready` if they do not show up, `conflict` for one of another type
 */
export async function ensureSearchAttributes(
  { connection }: Pick<TemporalConnection, 'connection'>,
  namespace: string,
): Promise<void> {
  const endMs = performance.now() + VISIBLE_MS;
  let asked = false;
  for (;;) {
    const { customAttributes = {} } = await connection.operatorService.listSearchAttributes({
      namespace,
    });
    const lacking = SEARCH_ATTRIBUTES.filter(({ name }) => !(name in customAttributes));
    if (lacking.length === 0) {
      assertTypes(customAttributes);
      return;
    }
    if (!asked) {
      asked = true;
      const searchAttributes = Object.fromEntries(
        lacking.map(({ name, type }) => [name, encodeSearchAttributeIndexedValueType(type)!]),
      );
      // Another worker may be registering them as well.
      await connection.operatorService
        .addSearchAttributes({ namespace, searchAttributes })
        .catch((error: unknown) => {
          if (!/already exist/i.test(String(error))) throw error;
        });
    }
    if (performance.now() > endMs) {
      const names = lacking.map(({ name }) => name).join(', ');
      throw new TruecountError('not_ready', `Temporal does not register ${names}`, {
        hint: 'temporal operator search-attribute create --name … --type …',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function assertTypes(found: Readonly<Record<string, number>>): void {
  for (const { name, type } of SEARCH_ATTRIBUTES) {
    if (found[name] === encodeSearchAttributeIndexedValueType(type)) continue;
    throw new TruecountError('conflict', `search attribute ${name} is of another type`, {
      hint: `temporal operator search-attribute remove --name ${name}, or use another namespace`,
    });
  }
}
