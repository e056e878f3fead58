from signalfleet.cli.main import main

main()
