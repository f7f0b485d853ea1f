"""The smallest environment with a tool: ask for the weather of a city."""

import palestra
from palestra import Environment, Task, Transcript, Verdict, tool
from palestra.core.task import asked


class WeatherQuestion(Task):
    question: str = ""
    """Not needed in a row that brings its own prompt."""


class SingleToolCall(Environment[WeatherQuestion]):
    class Options(palestra.Options):
        require_call: bool = False
        """Pay only if the weather of some city was asked for. Without it every reply earns 1."""

    def prompt(self) -> str:
        return asked(self.task.question, "a question")

    @tool
    def get_weather(self, city: str) -> dict[str, str]:
        """Get the current weather of a city.

        Args:
            city: The name of the city.
        """
        return {"city": city, "weather_description": f"The weather in {city} is cold."}

    def verify(self, transcript: Transcript) -> Verdict:
        if not self.options.require_call:
            return Verdict(1.0)
        # A call with other arguments was answered with an error, and one that was never answered did not happen.
        asked = any(
            call.output is not None and isinstance((call.parsed() or {}).get("city"), str)
            for call in transcript.calls_of("get_weather")
        )
        return Verdict(float(asked), reason=None if asked else "get_weather was not called with a city")
