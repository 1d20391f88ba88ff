import { valueOption } from '../value_option.js'

export const directoryOption = () =>
  valueOption('-d, --directory <DIRECTORY>', 'that of the watch: its journal is DIRECTORY/muster.jsonl')
export const journalOption = () => valueOption('--journal <FILE>', 'the journal of the watch')

export const byOption = () => valueOption('--by <NAME>', 'who asks (default: the user)')
export const noteOption = () => valueOption('--note <TEXT>', 'why, for others to read')
export const waitOption = () =>
  valueOption('--wait <SECONDS>', 'for the answer of a watch that runs, 0 to 3600 (default: 5)')
