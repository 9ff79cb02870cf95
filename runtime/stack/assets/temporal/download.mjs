// Lets Temporal's SDK download the CLI: node download.mjs FOLDER VERSION
// The SDK has no way to only download, so a server is started on it for a moment.
import process from 'node:process';
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [downloadDir, version] = process.argv.slice(2);
const executable = { type: 'cached-download', downloadDir, version };
try {
  const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
  await environment.teardown();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
