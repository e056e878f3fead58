"""A matching engine on given prices: the market of the paper broker, back-tests and simulators.

`Exchange` takes commands and quotes and keeps one `Book` an account; it decides nothing about when
to trade and knows no broker's numbers. Prices come in through `Prices`, time as an argument.
"""
