import { Argument, Command } from 'commander'
import { z } from 'zod'
import { type CheckedRule, ruleSchema } from '../../index.js'
import { exitCodeHelp } from '../exit_codes.js'
import { ChunkedWriter } from '../output.js'
import { safeJson } from '../terminal.js'
import { quoted } from '../values.js'
import { checkedFile, configSchemaOf } from '../watch/config.js'
import { ruleLine, ruleRecord } from './rule_line.js'

export function rulesCommand(): Command {
  return new Command('rules')
    .description('check a file of rules; print the form of one as JSON Schema')
    .addCommand(checkCommand())
    .addCommand(schemaCommand())
    .addHelpText('after', HELP)
}

function checkCommand(): Command {
  return new Command('check')
    .description('check a configuration file: its faults with line and column, or its rules in normal form')
    .addArgument(new Argument('<file>', 'the YAML file'))
    .option('--json', 'JSON Lines on stdout, one record per rule')
    .addHelpText('after', `\n${exitCodeHelp()}`)
    .action(check)
}

function schemaCommand(): Command {
  return new Command('schema')
    .description('print the JSON Schema of a configuration file, for editors')
    .action(() => {
      const schema = z.toJSONSchema(configSchemaOf(ruleSchema), { io: 'input' })
      process.stdout.write(`${JSON.stringify(schema, undefined, 2)}\n`)
    })
}

async function check(file: string, { json }: { json?: true }): Promise<void> {
  const { checked } = await checkedFile(file, quoted(file), configSchemaOf(ruleSchema))
  const writer = new ChunkedWriter(process.stdout)
  for (const rule of checked.rules as CheckedRule[]) {
    await writer.write(`${json ? safeJson(ruleRecord(rule)) : ruleLine(rule)}\n`)
  }
  await writer.flush()
}

const HELP = `
Examples:
  muster rules check /etc/muster.yaml
  muster rules check muster.yaml --json | jq -r '.name + ": " + .when'
  muster rules schema > muster.schema.json     then, on top of muster.yaml:
                                               # yaml-language-server: $schema=muster.schema.json`
