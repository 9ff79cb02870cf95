import { createRequire } from 'node:module';

/**
 * The version of the kafkajs that is installed. Where all is one file (scripts/tail-bundle.mjs) there
 * is no package to look at: the build puts in the version that it bundled.
 */
export function kafkajsVersion(): string {
  const require = createRequire(import.meta.url);
  return (require('kafkajs/package.json') as { version: string }).version;
}
