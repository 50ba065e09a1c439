"""When an answer is right. A trainer imports this room alone, so nothing here may import Beam or another room."""
